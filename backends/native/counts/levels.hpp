// algorithms/counts/levels.py: fewer spares by D'Hondt's rule, the rest one each to experts that have one replica.

class Levels {
 public:
  Levels(const Shape& shape, Memory& memory) : shape_(shape), order_(memory.take<int32_t>(shape.node_experts)) {}

  // Of a row.
  void begin(const float* load, float total, const Spares& spares, Sorter& sorter) {
    sorter.descending(load, shape_.node_experts, order_);
    lowest_ = 0;
    for (int k = 0; k < shape_.spares; ++k) {
      const float before = load[spares.expert[k]] / static_cast<float>(spares.rank[k]);
      lowest_ += before * static_cast<float>(shape_.gpus) > total;
    }
    const int one_each = shape_.spares - shape_.node_experts;
    lowest_ = lowest_ < one_each ? one_each : lowest_;
  }

  // First those whose rest goes to the heaviest, then those whose rest goes to the lightest.
  void make(int number, const Spares& spares, Candidate& found) const {
    const bool to_lightest = number >= shape_.levels;
    const int steps = shape_.levels > 1 ? shape_.levels - 1 : 1;
    const int level = lowest_ + static_cast<int>(int64_t{shape_.spares - lowest_} * (number % shape_.levels) / steps);
    for (int e = 0; e < shape_.node_experts; ++e) found.count[e] = 1;
    for (int k = 0; k < level; ++k) ++found.count[found.spare[k] = spares.expert[k]];
    int open = 0;
    for (int e = 0; e < shape_.node_experts; ++e) open += found.count[e] < shape_.most;
    if (open < shape_.spares - level) {
      stand_in(spares, found);
      return;
    }
    int k = level;
    k = hand_out(to_lightest, k, [&](int32_t count) { return count == 1; }, found);
    k = hand_out(to_lightest, k, [&](int32_t count) { return count > 1 && count < shape_.most; }, found);
    for (k = level; k < shape_.spares; ++k) ++found.count[found.spare[k]];
  }

 private:
  template <typename May>
  int hand_out(bool to_lightest, int k, May may_have, Candidate& found) const {
    const int experts = shape_.node_experts;
    const int32_t *expert = to_lightest ? order_ + experts - 1 : order_, step = to_lightest ? -1 : 1;
    for (int i = 0; i < experts && k < shape_.spares; ++i, expert += step) {
      found.spare[k] = *expert;  // written over by the next, if it may not
      k += may_have(found.count[*expert]);
    }
    return k;
  }

  void stand_in(const Spares& spares, Candidate& found) const {
    std::memcpy(found.spare, spares.expert, sizeof(int32_t) * static_cast<size_t>(shape_.spares));
    std::memcpy(found.count, spares.count, sizeof(int32_t) * static_cast<size_t>(shape_.node_experts));
  }

  const Shape& shape_;
  int lowest_ = 0;
  int32_t* order_;  // [experts] heaviest first
};
