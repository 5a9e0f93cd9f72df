// algorithms/sharing/tokens.py: loads as whole tokens.

constexpr int32_t kMostTokens = (1 << 30) - 1;

class Tokens {
 public:
  Tokens(const SharingShape& shape, Memory& memory)
      : experts_(shape.experts), load_(memory.take<float>(shape.experts)), count(memory.take<int32_t>(shape.experts)) {}

  template <typename Index>
  void read(const Index* weight) {
    for (int e = 0; e < experts_; ++e)
      count[e] = static_cast<int32_t>(std::clamp<int64_t>(weight[e], 0, int64_t{kMostTokens} + 1));
    while (total() > kMostTokens)
      for (int e = 0; e < experts_; ++e) count[e] >>= 1;
  }

  void read(const float* weight) {
    bool are_whole = true;
    for (int e = 0; e < experts_; ++e) {
      const float load = weight[e] >= 0.0f && weight[e] < kInfinite ? weight[e] : 0.0f;
      count[e] = static_cast<int32_t>(smaller(load, 0x1p30f));
      are_whole &= static_cast<float>(count[e]) == load;
    }
    if (are_whole && total() <= kMostTokens) return;
    scale(weight, experts_, load_);
    float unit = 0x1p28f;
    for (int64_t number = 1; number < experts_; number *= 2) unit *= 0.5f;
    for (int e = 0; e < experts_; ++e) count[e] = static_cast<int32_t>(load_[e] * unit);
  }

  int64_t total() const {
    int64_t sum = 0;
    for (int e = 0; e < experts_; ++e) sum += count[e];
    return sum;
  }

 private:
  int32_t experts_;
  float* load_;  // [experts]

 public:
  int32_t* count;  // [experts] of each
};
