// algorithms/following/choosing.py: the best of all steps, whose number is column * capacity + rank of ours.

// What a step must gain, as a share of the mean GPU load.
constexpr float kLeastGain = 0x1p-20f;
// Steps that cost nothing go before all others.
constexpr float kFree = 0x1p20f;
// No score that counts is less.
constexpr float kLeastScore = 0x1p-126f;

typedef uint32_t Unsigned __attribute__((vector_size(4 * EPLB_XP_LANES)));

struct Step {
  int rank;    // of our expert
  int column;  // the expert of a rewriting, then the place of a copy, then that of a swap
  float score;  // 0 where there is none
};

class Choice {
 public:
  Choice(const FollowingShape& shape, float least)
      : capacity_(shape.capacity()),
        far_cost_(shape.far_cost),
        is_free_(shape.is_free != 0),
        gpus_(static_cast<float>(shape.gpus)),
        least_(least),
        small_(1.0f),
        dearest_(shape.far_cost == 1 ? 0.5f : 1.0f),
        score_{},
        key_{},
        steps_(lane_numbers() * shape.capacity()) {
    if (shape.far_cost == 1 || is_free_) return;
    for (int64_t items = int64_t{shape.samples} * shape.experts; items > 0; items >>= 1) small_ *= 0.5f;
  }

  void begin(float left, bool is_noisy, uint32_t drawn) {
    left_ = is_free_ ? kAnything : left;
    is_noisy_ = is_noisy;
    most_ = is_noisy ? 2.0f * small_ : small_;
    drawn_ = drawn;
    best_ = kLeastScore;
    score_ = Floats{};
    key_ = all(INT32_MAX);
  }

  // The next kind of steps, of which there are so many for each of our experts; their columns come after those before.
  void begin_kind(int first_column, int number) {
    drawn_ = hashed(drawn_ + 1);
    first_column_ = first_column;
    number_ = number;
  }

  // What a gain is multiplied by at most, where a step costs no less than this.
  Floats most_for(Floats cost) const {
    if (is_free_) return cost <= left_ ? all(most_) : Floats{};
    const Floats most = cost < 1.0f ? all(most_ * kFree) : cost > 1.0f ? all(most_ * dearest_) : all(most_);
    return cost <= left_ ? most : Floats{};
  }

  // Whether a gain multiplied by that might be of the best step.
  bool may_be_best(Floats score) const { return any(score >= best_); }

  // Steps with each of so many of ours, given what they gain and at most are multiplied by: those that might be the best.
  template <typename Gain, typename Do>
  void consider_ranks(int number, Floats most_for, Gain gain, Do with) const {
    Floats most = gain(0);
    for (int k = 1; k < number; ++k) most = larger(gain(k), most);
    if (!may_be_best(most * most_for)) return;
    for (int k = 0; k < number; ++k)
      if (const Floats its = gain(k); may_be_best(its * most_for)) with(k, its);
  }

  // Steps side by side that gain so much, from this one of the kind on.
  __attribute__((noinline)) void consider(Floats gain, Floats cost, int first, int rank) {
    Floats score = as_bits(gain * gpus_ > least_) & as_bits(cost <= left_) ? for_each_move(gain, cost) : Floats{};
    if (is_noisy_) score *= factors(static_cast<uint32_t>(rank * number_ + first));
    const Ints key = steps_ + ((first_column_ + first) * capacity_ + rank);
    const Ints better = (score > score_) | ((score == score_) & (key < key_));
    if (!any(better)) return;
    score_ = better ? score : score_;
    key_ = better ? key : key_;
    best_ = larger(largest(score_), best_);
  }

  // Of equal ones the first by column, then by rank.
  Step best() const {
    const float score = largest(score_);
    const int32_t key = smallest(score_ == score ? key_ : all(INT32_MAX));
    return {key % capacity_, key / capacity_, score};
  }

 private:
  Floats for_each_move(Floats gain, Floats cost) const {
    if (is_free_) return gain;
    if (far_cost_ == 1) return gain * (cost > 1.0f ? all(0.5f) : cost < 1.0f ? all(kFree) : all(1.0f));
    gain *= small_;
    const Floats most = all(2.0f * static_cast<float>(far_cost_));
    const Floats divided = gain / (cost > 1.0f ? smaller(cost, most) : all(1.0f));
    return cost > 1.0f ? divided : cost < 1.0f ? gain * kFree : gain;
  }

  // 1 + u, u in [0, 1) a hash: the upper bits, which the last step of hashing leaves as they are.
  Floats factors(uint32_t first) const {
    Unsigned x = ((Unsigned)lane_numbers() + (drawn_ + first)) & kMask;
    x = ((x ^ x >> 16) * 0x45D9F3Bu) & kMask;
    x = ((x ^ x >> 15) * 0x2C1B3C6Du) & kMask;
    return (Floats)((x >> 8 & 0x7FF000u) | 0x3F800000u);
  }

  static constexpr float kAnything = 0x1p100f;  // but what may not be

  int capacity_, far_cost_;
  bool is_free_;
  float gpus_, least_;
  float small_;    // so that gains are of a size that can be divided; 1 where none is
  float dearest_;  // what gains are multiplied by at most where they cost more than one move
  float left_ = 0.0f;  // of the budget
  bool is_noisy_ = false;
  float most_ = 1.0f;  // what gains are multiplied by at most where they cost one move
  uint32_t drawn_ = 0;
  int first_column_ = 0, number_ = 0;
  float best_ = kLeastScore;  // of all lanes
  Floats score_;
  Ints key_;
  Ints steps_;
};
