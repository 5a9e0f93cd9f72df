// Whether a swap may help the busiest pack, at a glance that misses none: an item of another pack is lighter than one
// of its own, by enough, and by less than that pack has room for. Twice as fast as an estimate of the best swap.

constexpr int kShakenItems = 3;  // finishing.py, SHAKEN_ITEMS

struct Glance {
  Floats limit;               // of the other pack's load
  Floats load[kShakenItems];  // of the busiest pack's items, less what must be gained

  // A swap helps where the busier pack has less than the bound after it.
  Glance(const Table& table, int pack, float bound) {
    const float high = table.pack_load[pack], margin = high * 0x1p-21f;  // more than all rounding
    const float least = larger(high - bound - margin, 0.0f);
    limit = all(bound + margin - least);
    for (int r = 0; r < kShakenItems; ++r) load[r] = all(table.load[r * table.width + pack] - least);
  }

  // With packs that have these items, and this load.
  __attribute__((always_inline)) Ints may_help(const Floats* theirs, Floats pack_load) const {
    // Negative numbers, which as integers are less the closer they are to zero; who has no room has next to none.
    const Ints room = (Ints)(pack_load - limit) | INT32_MIN;
    Ints nearest = room;
    for (int s = 0; s < kShakenItems; ++s) {
      Ints more = (Ints)(theirs[s] - load[0]);
      for (int r = 1; r < kShakenItems; ++r) more = smaller((Ints)(theirs[s] - load[r]), more);
      nearest = smaller(more, nearest);
    }
    return as_bits(nearest < room);
  }
};
