// algorithms/improving/shaking.py: where no swap helps, packs pair off and swap items, as far as none gets in the way.

class Shaking {
 public:
  Shaking(int items, Memory& memory) : next_(memory.take<int32_t>(items)) {}

  // So many rounds, until the busiest pack is close to a bound.
  void shake(Table& table, const Items& items, int number, int rounds, float total, const Shape& shape) {
    if (table.capacity == 2) {
      shake_packs<2>(table, items, number, rounds, total, shape);
    } else {
      shake_packs<3>(table, items, number, rounds, total, shape);
    }
  }

 private:
  template <int kCapacity>
  void shake_packs(Table& table, const Items& items, int number, int rounds, float total, const Shape& shape) {
    const float busiest_before = table.busiest(), packs = static_cast<float>(table.packs);
    const float least = total * shape.threshold, mean = total * shape.close;
    float largest = 0.0f;
    for (int i = 0; i < number; ++i) largest = larger(items.load[i], largest);
    largest *= shape.close;
    float high = busiest_before;
    auto is_open = [&] { return high > largest && high * packs > mean; };
    if (rounds == 0 || !is_open()) return;
    table.keep();
    for (int round = 0; rounds > 0 && is_open(); --rounds) {
      const int pack = table.first_of(high);
      const Swap best = best_swap(table, items, pack, least, shape.lightest);
      if (best.is_there()) {
        std::swap(table.load[best.one], table.load[best.other]);
        std::swap(table.expert[best.one], table.expert[best.other]);
        table.add_up(pack);
        table.add_up(best.other_pack);
      } else {
        swap_pairs<kCapacity>(table, high, 0, round);
        swap_pairs<kCapacity>(table, high, round + 1, table.packs - 1);
      }
      round = round + 1 < table.packs ? round + 1 : 0;
      high = table.busiest();
    }
    find_items(table, items, number);
    table.keep_lower(items, busiest_before);
  }

  // The first of these packs with the last of them, and so on.
  template <int kCapacity>
  void swap_pairs(Table& table, float high, int first, int last) const {
    int p = first;
    const Table copy = table;  // which no store can change
    for (; 2 * p < first + last; p += kLanes) {
      const int other = first + last - p - (kLanes - 1);
      if (p + kLanes - 1 > last || other < first) break;
      swap_lanes<kCapacity>(copy, high, p, other);
    }
    for (; 2 * p < first + last; ++p) swap_pair<kCapacity>(table, high, p, first + last - p);
  }

  // Packs from `first` on with those from `other` on, the last of them first. In the middle they may overlap, where
  // both see the same swap; those that met before stay as they are.
  template <int kCapacity>
  __attribute__((always_inline)) static void swap_lanes(const Table& table, float high, int first, int other) {
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
    const Ints met = (other + kLanes - 1) - lane_numbers() < first;
    Ints stays[kCapacity], goes[kCapacity];
    for (int r = 0; r < kCapacity; ++r) stays[r] = met;
    for (int r = 0; r < kCapacity; ++r)
      for (int o = 0; o < kCapacity; ++o) {
        const Ints same = as_bits(expert[r] == their_expert[o]);
        stays[r] |= same;
        stays[o] |= same;
      }
    Floats found = all(-1.0f);
    for (int r = 0; r < kCapacity; ++r) {
      const Floats after = busier(pack_load, their_pack_load, load[r] - their_load[r]);
      stays[r] |= as_bits(after >= high);
      goes[r] = as_bits(after > found) & ~stays[r];
      found = larger((Floats)((Ints)after | stays[r]), found);  // where it stays it is no number
      for (int o = 0; o < r; ++o) goes[o] &= ~goes[r];
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
  }

  // Swap the items of one rank that leave the busier as busy as is allowed, the first of equal ones.
  template <int kCapacity>
  static void swap_pair(Table& table, float high, int first, int other) {
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
    if (best < 0) return;
    std::swap(table.load[best * width + first], table.load[best * width + other]);
    std::swap(table.expert[best * width + first], table.expert[best * width + other]);
    table.add_up(first);
    table.add_up(other);
  }

  // Any item of each expert: they have the same load.
  void find_items(Table& table, const Items& items, int number) {
    for (int i = 0; i < number; ++i) next_[i] = i;
    for (int r = 0; r < table.capacity; ++r)
      for (int p = 0; p < table.packs; ++p) {
        const int place = r * table.width + p;
        int32_t& next = next_[table.expert[place]];
        table.item[place] = next;
        next = items.next[next];
      }
    table.look_up(items);
  }

  int32_t* next_;  // [items] the next item of each expert
};
