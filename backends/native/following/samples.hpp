// algorithms/following/samples.py: loads of several samples, each divided by its tokens or not.

class Samples {
 public:
  Samples(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        share_(memory.take<float>(int64_t{shape.samples} * shape.experts)),
        tree_(memory.take<float>((shape.experts + 1) / 2)) {}

  // Loads of the size that `scale` leaves, [samples * experts] both, their sum over samples, and what a unit is of them.
  float scale_all(const float* weight, float* load, float* total) {
    const int experts = shape_.experts, all_of_them = shape_.samples * experts;
    if (shape_.divides && shape_.samples > 1) {
      for (int i = 0; i < shape_.samples; ++i) {
        float* its = share_ + int64_t{i} * experts;
        scale(weight + int64_t{i} * experts, experts, its);
        const float all = tree_sum(its, experts, tree_);
        for (int e = 0; e < experts; ++e) its[e] = share_of(its[e], all);
      }
      weight = share_;
    }
    const float unit = scale(weight, all_of_them, load);
    for (int e = 0; e < experts; ++e) total[e] = load[e];
    for (int i = 1; i < shape_.samples; ++i)
      for (int e = 0; e < experts; ++e) total[e] += load[i * experts + e];
    return unit;
  }

  // What a part is of a total, rounded down: by long division, as it is everywhere.
  static float share_of(float part, float total) {
    float share = 0.0f, rest = part, bit = 0.5f;
    for (int i = 0; i < kShareBits; ++i, bit *= 0.5f) {
      rest += rest;
      if (rest >= total && total > 0.0f) {
        share += bit;
        rest -= total;
      }
    }
    return share;
  }

 private:
  static constexpr int kShareBits = 24;

  const FollowingShape& shape_;
  float* share_;  // [samples * experts]
  float* tree_;
};
