// algorithms/following/beginning.py: where a search begins, at the previous plan, as far as it can be kept, filled.

class Beginning {
 public:
  Beginning(const FollowingShape& shape, Memory& memory)
      : shape_(shape), samples_(shape, memory), cleaning_(shape, memory), filling_(shape, memory) {}

  // The system of a layer, within a budget; what one unit of its loads is in tokens, where there is one sample.
  template <typename Index>
  float begin(const Index* previous, int64_t budget, const float* weight, System& system) {
    const int experts = shape_.experts;
    const float unit = samples_.scale_all(weight, system.load, system.total);
    system.budget = budget < -kMostBudget ? -kMostBudget : budget < kMostBudget ? budget : kMostBudget;
    cleaning_.keep(previous, system.slots, system.node);
    std::memcpy(system.held, system.slots, sizeof(int32_t) * static_cast<size_t>(shape_.slots));
    filling_.add_missing(system.total, system.node, system.slots);
    system.prices.set(system.slots);
    filling_.fill(system.total, system.node, system.prices, static_cast<float>(system.budget), system.slots,
                  system.before);
    system.was.clear(experts);
    for (int s = 0; s < shape_.slots; ++s)
      if (system.before[s] < experts) system.was.add(system.before[s], s / shape_.capacity());
    return unit;
  }

 private:
  static constexpr int64_t kMostBudget = int64_t{1} << 40;  // more than all slots cost

  const FollowingShape& shape_;
  Samples samples_;
  Cleaning cleaning_;
  Filling filling_;
};
