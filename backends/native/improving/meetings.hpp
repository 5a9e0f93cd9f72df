// Packs that are shaken meet in pairs, and swap the items of one rank that leave the busier as busy as is allowed, the
// first of equal ones. Whether a pack that swapped is as busy as that is said each time: rounding may bring that about.

// Packs from `first` on with those from `other` on, the last of them first. In the middle they may overlap, where both
// see the same swap; those that met before stay as they are.
template <int kCapacity>
__attribute__((always_inline)) inline Ints swap_lanes(const Table& table, float high, int first, int other, Ints met) {
  const int width = table.width;
  Floats load[kCapacity], their_load[kCapacity];
  Ints expert[kCapacity], their_expert[kCapacity];
  for (int r = 0; r < kCapacity; ++r) {
    load[r] = floats_at(table.load + r * width + first);
    expert[r] = ints_at(table.expert + r * width + first);
    their_load[r] = reversed(floats_at(table.load + r * width + other));
    their_expert[r] = reversed(ints_at(table.expert + r * width + other));
  }
  const Floats pack_load = floats_at(table.pack_load + first);
  const Floats their_pack_load = reversed(floats_at(table.pack_load + other));
  Ints stays[kCapacity], goes[kCapacity];
  for (int r = 0; r < kCapacity; ++r) stays[r] = as_bits(expert[r] == their_expert[r]);
  for (int r = 0; r < kCapacity; ++r)
    for (int o = 0; o < r; ++o) {
      const Ints same = as_bits(expert[r] == their_expert[o]) | as_bits(expert[o] == their_expert[r]);
      stays[r] |= same;
      stays[o] |= same;
    }
  Floats after[kCapacity];
  for (int r = 0; r < kCapacity; ++r) {
    after[r] = busier(pack_load, their_pack_load, load[r] - their_load[r]);
    after[r] = (Floats)((Ints)after[r] | stays[r] | as_bits(after[r] >= high) | met);  // where it stays, no number
  }
  Ints found = (Ints)after[0];
  for (int r = 1; r < kCapacity; ++r) found = larger((Ints)after[r], found);
  Ints gone{};
  for (int r = 0; r < kCapacity; ++r) {
    const Ints is_it = as_bits(after[r] == (Floats)found);
    goes[r] = is_it & ~gone;
    gone |= is_it;
  }
  Floats total{}, their_total{};
  for (int r = 0; r < kCapacity; ++r) {
    const Ints load_change = ((Ints)load[r] ^ (Ints)their_load[r]) & goes[r];
    const Ints expert_change = (expert[r] ^ their_expert[r]) & goes[r];
    const Floats ours = (Floats)((Ints)load[r] ^ load_change), theirs = (Floats)((Ints)their_load[r] ^ load_change);
    total = r == 0 ? ours : total + ours;
    their_total = r == 0 ? theirs : their_total + theirs;
    store(table.load + r * width + first, ours);
    store(table.load + r * width + other, reversed(theirs));
    store(table.expert + r * width + first, expert[r] ^ expert_change);
    store(table.expert + r * width + other, reversed(their_expert[r] ^ expert_change));
  }
  store(table.pack_load + first, total);
  store(table.pack_load + other, reversed(their_total));
  return gone & as_bits(larger(total, their_total) >= high);
}

// One pack with another.
template <int kCapacity>
bool swap_pair(Table& table, float high, int first, int other) {
  const int width = table.width;
  float found = -1.0f;
  int best = -1;
  for (int r = 0; r < kCapacity; ++r) {
    const int ours = r * width + first, theirs = r * width + other;
    const float less = table.load[ours] - table.load[theirs];
    const float after = busier(table.pack_load[first], table.pack_load[other], less);
    if (after >= high || !(after > found)) continue;
    if (table.holds(other, table.expert[ours]) || table.holds(first, table.expert[theirs])) continue;
    found = after;
    best = r;
  }
  if (best < 0) return false;
  std::swap(table.load[best * width + first], table.load[best * width + other]);
  std::swap(table.expert[best * width + first], table.expert[best * width + other]);
  table.add_up(first);
  table.add_up(other);
  return larger(table.pack_load[first], table.pack_load[other]) >= high;
}

// The first of these packs with the last of them, and so on.
template <int kCapacity>
bool swap_pairs(Table& table, float high, int first, int last) {
  const int pairs = (last + 1 - first) / 2, middle = pairs - kLanes;
  if (last + 1 - first < kLanes) {
    bool is_as_busy = false;
    for (int i = 0; i < pairs; ++i) is_as_busy |= swap_pair<kCapacity>(table, high, first + i, last - i);
    return is_as_busy;
  }
  // Those in the middle come first: what others have just stored takes long to load, if it was stored in other lanes.
  const Table copy = table;  // which no store can change
  auto swap = [&](int i, Ints met) {
    return swap_lanes<kCapacity>(copy, high, first + i, last - i - (kLanes - 1), met);
  };
  Ints is_as_busy = swap(middle > 0 ? middle : 0, Ints{});
  int i = 0;
  for (; i <= middle - kLanes; i += kLanes) is_as_busy |= swap(i, Ints{});
  if (i < middle) is_as_busy |= swap(i, as_bits(lane_numbers() >= middle - i));
  return any(is_as_busy);
}
