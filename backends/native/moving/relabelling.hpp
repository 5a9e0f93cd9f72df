// algorithms/moving/relabelling.py: GPUs of a new plan called as GPUs of the previous one, so that fewest experts move.

class Relabelling {
 public:
  Relabelling(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        overlaps_(shape, memory),
        labels_(shape, memory),
        keeping_(shape.capacity(), memory),
        given_(memory.take<int32_t>(shape.slots)),
        common_(memory.take<int32_t>(int64_t{shape.gpus} * shape.gpus)),
        label_(memory.take<int32_t>(shape.gpus)),
        place_(memory.take<int32_t>(shape.slots)) {}

  // The plan with its GPUs, and the slots of each, in an order in which fewest slots get another expert.
  template <typename Index>
  void relabel(const Index* phy2log, const int32_t* previous, int32_t* slots) {
    const int capacity = shape_.capacity(), gpus = shape_.gpus;
    for (int s = 0; s < shape_.slots; ++s)
      given_[s] = phy2log[s] >= 0 && phy2log[s] < shape_.experts ? static_cast<int32_t>(phy2log[s]) : 0;
    overlaps_.find(given_, previous, common_);
    labels_.find(common_, label_);
    for (int g = 0; g < gpus; ++g)
      for (int r = 0; r < capacity; ++r) place_[r * gpus + label_[g]] = given_[g * capacity + r];
    keeping_.keep(place_, gpus, previous, gpus, slots);
  }

 private:
  const FollowingShape& shape_;
  Overlaps overlaps_;
  Labels labels_;
  Keeping keeping_;
  int32_t* given_;   // [slots] as the plan was, every expert being one
  int32_t* common_;  // [gpus * gpus]
  int32_t* label_;   // [gpus]
  int32_t* place_;   // [slots] rank * gpus + gpu
};
