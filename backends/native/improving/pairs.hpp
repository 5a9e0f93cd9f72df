// algorithms/improving/pairs.py: two items of the busiest pack for two of another.

constexpr int kLookedAt = 8192, kMostItems = 16, kMostPairs = kMostItems * (kMostItems - 1) / 2;

struct TwoSwaps {
  int ours[2], theirs[2];  // places
  int other_pack;
  float busier;  // infinite where there are none
};

class Pairs {
 public:
  explicit Pairs(int capacity) : capacity_(capacity), number_(capacity * (capacity - 1) / 2), padded_(padded(number_)) {}

  // The exchange, with one of the lightest packs, that leaves the busier the least; the first by pack, then by pairs.
  TwoSwaps best(Table& table, const Items& items, int pack) {
    const Hidden hidden(table, items, pack);
    const float high = table.pack_load[pack];
    int number = kLookedAt / (number_ * number_);
    number = number < 1 ? 1 : number > table.packs ? table.packs : number;
    int other_pack;
    if (number == table.packs && capacity_ == 4) {
      other_pack = best_of_all<4>(table, high);
    } else if (number == table.packs && capacity_ == 5) {
      other_pack = best_of_all<5>(table, high);
    } else {
      other_pack = best_of_lightest(table, high, number);
    }
    if (other_pack < 0) return {{0, 0}, {0, 0}, 0, kInfinite};
    read(table, other_pack, high);
    return found(table, pack, other_pack, high);
  }

 private:
  // The pack of the best exchange, packs side by side; none where the busier is no less busy after it.
  template <int kCapacity>
  static int best_of_all(const Table& table, float high) {
    constexpr int kPairs = kCapacity * (kCapacity - 1) / 2;
    Floats best = all(high), best_load{};
    Ints best_first = all(-1);
    for (int p = 0; p < table.width; p += kLanes) {
      const Floats pack_load = floats_at(table.pack_load + p);
      const Floats halved = (high + pack_load) * 0.5f, more = (high - pack_load) * 0.5f;
      if (!any(halved <= best)) continue;  // equal ones may be of lighter packs
      Floats ours[kPairs], off[kPairs];
      for (Floats& each : off) each = all(high);  // more is too much
      each_pair<kCapacity>(table.going + p, table.width, [&](int pair, Floats load) { ours[pair] = load; });
      each_pair<kCapacity>(table.load + p, table.width, [&](int, Floats load) {
        const Floats wanted = load + more;
        for (int pair = 0; pair < kPairs; ++pair) off[pair] = smaller(magnitude(ours[pair] - wanted), off[pair]);
      });
      for (int pair = 1; pair < kPairs; ++pair) off[0] = smaller(off[pair], off[0]);
      const Floats busier = halved + off[0];
      const Ints comes_first = (busier < best) | ((busier == best) & (best_first >= 0) & (pack_load < best_load));
      const Ints better = comes_first & (pack_load >= 0.0f);  // behind the packs there are none
      best = better ? busier : best;
      best_load = better ? pack_load : best_load;
      best_first = better ? all(p) : best_first;
    }
    int found = -1;
    for (int lane = 0; lane < kLanes; ++lane) {
      if (best_first[lane] < 0 || best[lane] != smallest(best)) continue;
      const int pack = best_first[lane] + lane;
      const float theirs = table.pack_load[pack], least = found < 0 ? kInfinite : table.pack_load[found];
      if (theirs < least || (theirs == least && pack < found)) found = pack;
    }
    return found;
  }

  // The loads of all pairs of items, in the order of `itertools.combinations`.
  template <int kCapacity, typename Do>
  static void each_pair(const float* load, int width, Do with) {
    Floats items[kCapacity];
    for (int r = 0; r < kCapacity; ++r) items[r] = floats_at(load + r * width);
    for (int one = 0, pair = 0; one < kCapacity - 1; ++one)
      for (int two = one + 1; two < kCapacity; ++two, ++pair) with(pair, items[one] + items[two]);
  }

  // The same, of so many of the lightest packs, pairs of ours side by side.
  int best_of_lightest(const Table& table, float high, int number) {
    int found = -1;
    float best = high;
    for (int p = 0; p < table.packs; ++p) table.at[p] = 0;
    for (; number > 0; --number) {
      const int pack = next_lightest(table, table.at);
      const float halved = (high + table.pack_load[pack]) * 0.5f;
      if (halved >= best) break;  // as it is for all that follow
      read(table, pack, high);
      const float busier = halved + nearest();
      found = busier < best ? pack : found;
      best = smaller(busier, best);
    }
    return found;
  }

  static int next_lightest(const Table& table, int32_t* looked_at) {
    int found = -1;
    float least = kInfinite;
    for (int p = 0; p < table.packs; ++p)
      if (!looked_at[p] && table.pack_load[p] < least) {
        least = table.pack_load[p];
        found = p;
      }
    looked_at[found] = 1;
    return found;
  }

  // The loads of all pairs of ours that may go there, and what is wanted for each of theirs.
  void read(const Table& table, int pack, float high) {
    const float more = (high - table.pack_load[pack]) * 0.5f;
    for (int r = 0; r < capacity_; ++r) {
      going_[r] = table.going[r * table.width + pack];
      coming_[r] = table.load[r * table.width + pack];
    }
    int pair = 0;
    for (int one = 0; one < capacity_ - 1; pair += capacity_ - ++one)
      for (int two = one + 1; two < capacity_; two += kLanes) {  // what is too much is written over
        const int at = pair + two - (one + 1);
        store(ours_ + at, going_[one] + floats_at(going_ + two));
        store(wanted_ + at, (coming_[one] + floats_at(coming_ + two)) + more);
      }
    for (int i = number_; i < padded_; ++i) {
      ours_[i] = -kInfinite;
      wanted_[i] = kInfinite;
    }
  }

  float nearest() const {
    Floats off[kLanes];
    for (Floats& each : off) each = all(kInfinite);
    for (int a = 0; a < padded_; a += kLanes) {
      const Floats ours = floats_at(ours_ + a);
      for (int b = 0; b < padded_; b += kLanes)
        for (int i = 0; i < kLanes; ++i) off[i] = smaller(magnitude(ours - wanted_[b + i]), off[i]);
    }
    for (int i = 1; i < kLanes; ++i) off[0] = smaller(off[i], off[0]);
    return smallest(off[0]);
  }

  // Its pairs, which have been read.
  TwoSwaps found(const Table& table, int pack, int other_pack, float high) const {
    const float off = nearest(), busier = (high + table.pack_load[other_pack]) * 0.5f + off;
    int ours = 0, theirs = 0;
    auto is_it = [&] { return __builtin_fabsf(ours_[ours] - wanted_[theirs]) == off; };
    while (!is_it())
      if (++ours == number_) {
        ours = 0;
        ++theirs;
      }
    TwoSwaps swaps{{0, 0}, {0, 0}, other_pack, busier};
    places(ours, table.width, pack, swaps.ours);
    places(theirs, table.width, other_pack, swaps.theirs);
    return swaps;
  }

  void places(int pair, int width, int pack, int* place) const {
    int one = 0;
    for (; pair >= capacity_ - 1 - one; ++one) pair -= capacity_ - 1 - one;
    place[0] = one * width + pack;
    place[1] = (one + 1 + pair) * width + pack;
  }

  int capacity_, number_, padded_;
  // Of the pack that is looked at.
  float going_[kMostItems + kLanes]{}, coming_[kMostItems + kLanes]{};
  float ours_[kMostPairs + kLanes], wanted_[kMostPairs + kLanes];
};
