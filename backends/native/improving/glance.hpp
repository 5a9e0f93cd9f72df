// Whether a swap may help the busiest pack, at a glance that misses none: an item of another pack is lighter than one
// of its own, by enough, and by less than that pack has room for. Twice as fast as an estimate of the best swap.

template <int kCapacity>
struct Glance {
  float limit;            // of the other pack's load
  float load[kCapacity];  // of the busiest pack's items, less what must be gained

  // A swap helps where the busier pack has less than the bound after it.
  Glance(const Table& table, int pack, float bound) {
    const float high = table.pack_load[pack], margin = high * 0x1p-21f;  // more than all rounding
    const float least = larger(high - bound - margin, 0.0f);
    limit = bound + margin - least;
    for (int r = 0; r < kCapacity; ++r) load[r] = table.load[r * table.width + pack] - least;
  }

  // In any pack.
  bool may_help(const Table& table) const {
    const Glance ours = *this;  // which no store can change
    Ints may{};
    for (int p = 0; p < table.width; p += kLanes) {
      // Negative numbers, which as integers are less the closer they are to zero; who has no room has next to none.
      const Ints room = (Ints)(floats_at(table.pack_load + p) - ours.limit) | INT32_MIN;
      Ints nearest = room;
      for (int s = 0; s < kCapacity; ++s) {
        const Floats theirs = floats_at(table.load + s * table.width + p);
        Ints more = (Ints)(theirs - ours.load[0]);
        for (int r = 1; r < kCapacity; ++r) more = smaller((Ints)(theirs - ours.load[r]), more);
        nearest = smaller(more, nearest);
      }
      may |= as_bits(nearest < room);
    }
    return any(may);
  }
};
