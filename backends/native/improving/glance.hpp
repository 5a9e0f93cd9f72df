// Whether a swap may help the busiest pack, at a glance that misses none: an item of another pack is lighter than one
// of its own, by less than what that pack has room for. Twice as fast as an estimate of the best swap.

template <int kCapacity>
struct Glance {
  float limit;            // of the other pack's load, and more than all rounding
  float load[kCapacity];  // of the busiest pack's items

  Glance(const Table& table, int pack) : limit(table.pack_load[pack] * (1.0f + 0x1p-21f)) {
    for (int r = 0; r < kCapacity; ++r) load[r] = table.load[r * table.width + pack];
  }

  // In any pack.
  bool may_help(const Table& table) const {
    const Glance ours = *this;  // which no store can change
    Ints may{};
    for (int p = 0; p < table.width; p += kLanes) {
      // Negative numbers, which as integers are less the closer they are to zero.
      const Ints room = (Ints)(floats_at(table.pack_load + p) - ours.limit);
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
