// What the busiest pack of a candidate has at least, however its items are packed. Of the heaviest items, k more than m
// for each pack, one pack has m + 2, or k packs have m + 1 each. These are the lightest of them at least, and what the
// packs have beside them are the lightest items of all at least.

class Least {
 public:
  Least(int items, Memory& memory) : sum_(memory.take<double>(items + 1)) {}

  // Of items in this order, the heaviest first; a little less, because packs are added up in float32.
  float of(const float* load, const int32_t* order, int packs, int capacity) {
    const int number = packs * capacity, step = 1 + packs / kTried;
    sum_[0] = 0.0;
    for (int i = 0; i < number; ++i) sum_[i + 1] = sum_[i] + load[order[i]];
    auto lightest = [&](int heavy, int of_these, int others) {
      return sum_[heavy] - sum_[heavy - of_these] + sum_[number] - sum_[number - others];
    };
    double least = 0.0;
    for (int m = 0; m < capacity; ++m)
      for (int k = 1; k <= packs; k += step) {
        const int heavy = m * packs + k;
        double most = lightest(heavy, (m + 1) * k, (capacity - m - 1) * k) / k;
        // Where m is 0, k packs that have all of them have no less.
        if (m > 0 && m + 1 < capacity) {
          const double alone = lightest(heavy, m + 2, capacity - m - 2);
          most = alone < most ? alone : most;
        }
        least = most > least ? most : least;
      }
    return static_cast<float>(least * (1.0 - capacity * 0x1p-22 - 0x1p-52 * number * packs));
  }

 private:
  static constexpr int kTried = 16;  // of the k, which tell as much as all do

  double* sum_;  // [items + 1] of the heaviest so many
};
