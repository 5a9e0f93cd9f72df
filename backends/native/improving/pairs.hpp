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
    float best = kInfinite, best_off = kInfinite;
    int other_pack = -1;
    int32_t* looked_at = table.at;
    for (int p = 0; p < table.packs; ++p) looked_at[p] = 0;
    int left = kLookedAt / (number_ * number_);
    left = left < 1 ? 1 : left > table.packs ? table.packs : left;
    for (; left > 0; --left) {
      const int p = next_lightest(table, looked_at);
      const float halved = (high + table.pack_load[p]) * 0.5f;
      if (halved >= best) break;  // as it is for all that follow
      read(table, p, high);
      const float off = nearest();
      if (halved + off < best) {
        best = halved + off;
        best_off = off;
        other_pack = p;
      }
    }
    if (other_pack < 0) return {{0, 0}, {0, 0}, 0, kInfinite};
    read(table, other_pack, high);
    return found(table, pack, other_pack, best, best_off);
  }

 private:
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
    const float *going = table.going + pack, *coming = table.load + pack;
    int pair = 0;
    for (int one = 0; one < capacity_ - 1; ++one)
      for (int two = one + 1; two < capacity_; ++two, ++pair) {
        ours_[pair] = going[one * table.width] + going[two * table.width];
        wanted_[pair] = (coming[one * table.width] + coming[two * table.width]) + more;
      }
    for (; pair < padded_; ++pair) ours_[pair] = -kInfinite;
  }

  float nearest() const {
    Floats off = all(kInfinite);
    for (int a = 0; a < padded_; a += kLanes) {
      const Floats ours = floats_at(ours_ + a);
      for (int b = 0; b < number_; ++b) off = smaller(magnitude(ours - wanted_[b]), off);
    }
    return smallest(off);
  }

  TwoSwaps found(const Table& table, int pack, int other_pack, float best, float off) const {
    int ours = 0, theirs = 0;
    auto is_it = [&] { return __builtin_fabsf(ours_[ours] - wanted_[theirs]) == off; };
    while (!is_it())
      if (++ours == number_) {
        ours = 0;
        ++theirs;
      }
    TwoSwaps swaps{{0, 0}, {0, 0}, other_pack, best};
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
  float ours_[kMostPairs + kLanes], wanted_[kMostPairs];  // of the pack that is looked at
};
