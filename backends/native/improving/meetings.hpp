// Packs that are shaken meet in pairs, and swap the items of one rank that leave the busier as busy as is allowed, the
// first of equal ones. Whether a pack that swapped is as busy as that is said each time: rounding may bring that about.
// So it is whether a swap with one of them may help the busiest pack then; with all others none did before.

class Meetings {
 public:
  Meetings(const Table& table, float high, const Glance& glance)
      : table_(table), width_(table.width), high_(high), glance_(glance), is_as_busy_{}, may_help_{} {}

  // The first of these packs with the last of them, and so on.
  void meet(int first, int last) {
    const int pairs = (last + 1 - first) / 2, middle = pairs - kLanes;
    if (last + 1 - first < kLanes) {
      for (int i = 0; i < pairs; ++i) swap_pair(first + i, last - i);
      return;
    }
    const Meetings copy = *this;  // which no store can change
    Ints is_as_busy{}, may_help{};
    // Those in the middle come first: what others have just stored takes long to load, if it was stored in other lanes.
    copy.swap_lanes(first, last, middle > 0 ? middle : 0, Ints{}, is_as_busy, may_help);
    int i = 0;
    for (; i <= middle - kLanes; i += kLanes) copy.swap_lanes(first, last, i, Ints{}, is_as_busy, may_help);
    if (i < middle) copy.swap_lanes(first, last, i, as_bits(lane_numbers() >= middle - i), is_as_busy, may_help);
    is_as_busy_ |= is_as_busy;
    may_help_ |= may_help;
  }

  bool one_is_as_busy() const { return any(is_as_busy_); }
  bool one_may_help() const { return any(may_help_); }

 private:
  // The i-th of these packs and those after it with those that they meet. In the middle they may overlap, where both see
  // the same swap; those that met before stay as they are.
  __attribute__((always_inline)) void swap_lanes(int first, int last, int i, Ints met, Ints& is_as_busy,
                                                 Ints& may_help) const {
    const int ours = first + i, theirs = last - i - (kLanes - 1);
    Floats load[kShakenItems], their_load[kShakenItems], after[kShakenItems];
    const Floats pack_load = floats_at(table_.pack_load + ours);
    const Floats their_pack_load = reversed(floats_at(table_.pack_load + theirs));
    Ints is_allowed[kShakenItems], some{};
    for (int r = 0; r < kShakenItems; ++r) {
      load[r] = floats_at(table_.load + r * width_ + ours);
      their_load[r] = reversed(floats_at(table_.load + r * width_ + theirs));
      after[r] = busier(pack_load, their_pack_load, load[r] - their_load[r]);
      is_allowed[r] = as_bits(after[r] < high_);
      some |= is_allowed[r];
    }
    if (!any(some & ~met)) return;
    Ints expert[kShakenItems], their_expert[kShakenItems], stays[kShakenItems], goes[kShakenItems];
    for (int r = 0; r < kShakenItems; ++r) {
      expert[r] = ints_at(table_.expert + r * width_ + ours);
      their_expert[r] = reversed(ints_at(table_.expert + r * width_ + theirs));
      stays[r] = as_bits(expert[r] == their_expert[r]) | met;
    }
    for (int r = 0; r < kShakenItems; ++r)
      for (int o = 0; o < r; ++o) {
        const Ints same = as_bits(expert[r] == their_expert[o]) | as_bits(expert[o] == their_expert[r]);
        stays[r] |= same;
        stays[o] |= same;
      }
    Ints found{};
    for (int r = 0; r < kShakenItems; ++r) {
      after[r] = (Floats)((Ints)after[r] | stays[r] | ~is_allowed[r]);  // where it stays, no number
      found = r == 0 ? (Ints)after[r] : larger((Ints)after[r], found);
    }
    Ints gone{};
    for (int r = 0; r < kShakenItems; ++r) {
      const Ints is_it = as_bits(after[r] == (Floats)found);
      goes[r] = is_it & ~gone;
      gone |= is_it;
    }
    Floats total{}, their_total{};
    for (int r = 0; r < kShakenItems; ++r) {
      const Ints load_change = ((Ints)load[r] ^ (Ints)their_load[r]) & goes[r];
      const Ints expert_change = (expert[r] ^ their_expert[r]) & goes[r];
      load[r] = (Floats)((Ints)load[r] ^ load_change);
      their_load[r] = (Floats)((Ints)their_load[r] ^ load_change);
      total = r == 0 ? load[r] : total + load[r];
      their_total = r == 0 ? their_load[r] : their_total + their_load[r];
      store(table_.load + r * width_ + ours, load[r]);
      store(table_.load + r * width_ + theirs, reversed(their_load[r]));
      store(table_.expert + r * width_ + ours, expert[r] ^ expert_change);
      store(table_.expert + r * width_ + theirs, reversed(their_expert[r] ^ expert_change));
    }
    store(table_.pack_load + ours, total);
    store(table_.pack_load + theirs, reversed(their_total));
    is_as_busy |= gone & as_bits(larger(total, their_total) >= high_);
    may_help |= gone & (glance_.may_help(load, total) | glance_.may_help(their_load, their_total));
  }

  // One pack with another.
  void swap_pair(int first, int other) {
    float found = -1.0f;
    int best = -1;
    for (int r = 0; r < kShakenItems; ++r) {
      const int ours = r * width_ + first, theirs = r * width_ + other;
      const float less = table_.load[ours] - table_.load[theirs];
      const float after = busier(table_.pack_load[first], table_.pack_load[other], less);
      if (after >= high_ || !(after > found)) continue;
      if (table_.holds(other, table_.expert[ours]) || table_.holds(first, table_.expert[theirs])) continue;
      found = after;
      best = r;
    }
    if (best < 0) return;
    std::swap(table_.load[best * width_ + first], table_.load[best * width_ + other]);
    std::swap(table_.expert[best * width_ + first], table_.expert[best * width_ + other]);
    for (int pack : {first, other}) {
      table_.add_up(pack);
      Floats load[kShakenItems];
      for (int r = 0; r < kShakenItems; ++r) load[r] = all(table_.load[r * width_ + pack]);
      is_as_busy_ |= as_bits(all(table_.pack_load[pack]) >= high_);
      may_help_ |= glance_.may_help(load, all(table_.pack_load[pack]));
    }
  }

  Table table_;
  int width_;
  float high_;  // the load of the busiest pack
  Glance glance_;
  Ints is_as_busy_, may_help_;
};
