// algorithms/rows.py: sums and orders of a row.

// Added up as a tree; `tree` holds half of the values.
inline float tree_sum(const float* value, int number, float* tree) {
  int half = (number + 1) / 2;
  for (int i = 0; i < number - half; ++i) tree[i] = value[i] + value[half + i];
  if (half > number - half) tree[half - 1] = value[half - 1];
  while (half > 1) {
    const int whole = half;
    half = (whole + 1) / 2;
    for (int i = 0; i < whole - half; ++i) tree[i] = tree[i] + tree[half + i];
  }
  return tree[0];
}

// Orders of rows of at most so many items.
class Sorter {
 public:
  Sorter(int most, Memory& memory)
      : key_(memory.take<int32_t>(padded(most) + kLanes)),
        rank_(memory.take<int32_t>(padded(most))),
        from_(memory.take<uint64_t>(most)),
        to_(memory.take<uint64_t>(most)) {}

  // The largest first, among equals by number; none is negative.
  void descending(const float* value, int number, int32_t* order) {
    std::memcpy(key_, value, sizeof(float) * static_cast<size_t>(number));
    sort(number, order);
  }

  // The smallest first.
  void ascending(const float* value, int number, int32_t* order) {
    for (int i = 0; i < number; ++i) key_[i] = INT32_MAX - bits_of(value[i]);
    sort(number, order);
  }

 private:
  static constexpr int kCounted = 24 * kLanes;  // so few are sorted sooner by counting those before each
  static constexpr int kBits = 9, kDigits = 4, kValues = 1 << kBits;

  void sort(int number, int32_t* order) {
    if (number <= kCounted) {
      count(number, order);
    } else {
      distribute(number, order);
    }
  }

  void count(int number, int32_t* order) {
    for (int i = number; i < padded(number); ++i) key_[i] = 0;
    for (int first = 0; first < number; first += kLanes) {
      const Ints own = ints_at(key_ + first), less = own - 1;
      Ints before{};
      for (int i = 0; i < first; ++i) before -= all(key_[i]) > less;
      const int end = first + kLanes < number ? first + kLanes : number;
      for (int i = first; i < end; ++i) {
        Ints at_least = own;
        for (int lane = i - first + 1; lane < kLanes; ++lane) at_least[lane] = less[lane];
        before -= all(key_[i]) > at_least;
      }
      for (int i = end; i < number; ++i) before -= all(key_[i]) > own;
      store(rank_ + first, before);
    }
    for (int i = 0; i < number; ++i) order[rank_[i]] = i;
  }

  // Digit by digit, the lowest first, as many as tell the keys apart.
  void distribute(int number, int32_t* order) {
    int32_t least = key_[0], most = least;
    for (int i = 1; i < number; ++i) {
      least = key_[i] < least ? key_[i] : least;
      most = key_[i] > most ? key_[i] : most;
    }
    const uint32_t span = static_cast<uint32_t>(most) - static_cast<uint32_t>(least);
    int digits = 1;
    while (digits < kDigits && span >> kBits * digits > 0) ++digits;
    int32_t start[kDigits][kValues];
    std::memset(start, 0, sizeof start[0] * static_cast<size_t>(digits));
    for (int i = 0; i < number; ++i) {
      const uint32_t key = static_cast<uint32_t>(most) - static_cast<uint32_t>(key_[i]);
      from_[i] = uint64_t{key} << 32 | static_cast<uint32_t>(i);
      for (int digit = 0; digit < digits; ++digit) ++start[digit][key >> kBits * digit & (kValues - 1)];
    }
    for (int digit = 0; digit < digits; ++digit) {
      int32_t total = 0;
      for (int32_t& each : start[digit]) total += std::exchange(each, total);
      for (int i = 0; i < number; ++i)
        to_[start[digit][from_[i] >> (32 + kBits * digit) & (kValues - 1)]++] = from_[i];
      std::swap(from_, to_);
    }
    for (int i = 0; i < number; ++i) order[i] = static_cast<int32_t>(from_[i]);
  }

  int32_t *key_, *rank_;
  uint64_t *from_, *to_;
};

// Who comes first of several whose keys change one by one: a tree of matches, each won by the smaller key.
class Tournament {
 public:
  Tournament(int most, Memory& memory) : key_(memory.take<int64_t>(2 * rounded(most))) {}

  void begin(int number) {
    number_ = rounded(number);
    for (int i = number; i < number_; ++i) set(i, kNever);
  }

  // Before the matches.
  void set(int i, int64_t key) { key_[number_ + i] = key; }

  void play() {
    for (int match = number_ - 1; match > 0; --match) key_[match] = won(2 * match);
  }

  int64_t first() const { return key_[1]; }

  // The first then.
  int64_t change(int i, int64_t key) {
    int at = number_ + i;
    key_[at] = key;
    while (at > 1) {
      const int64_t other = key_[at ^ 1];
      key = key < other ? key : other;
      at >>= 1;
      key_[at] = key;
    }
    return key;
  }

  static constexpr int64_t kNever = INT64_MAX;

  static int64_t key(int32_t high, int32_t low) { return int64_t{high} << 32 | low; }

 private:
  static int rounded(int number) {
    int power = 1;
    while (power < number) power *= 2;
    return power;
  }

  int64_t won(int child) const { return key_[child] < key_[child + 1] ? key_[child] : key_[child + 1]; }

  int64_t* key_;  // [2 * number] of the matches, then of those who play
  int number_ = 1;
};
