// algorithms/moving/overlaps.py: how much GPUs of two plans have in common.

class Overlaps {
 public:
  Overlaps(const FollowingShape& shape, Memory& memory)
      : shape_(shape), number_(memory.take<int32_t>(shape.experts)) {
    for (int e = 0; memory.is_real() && e < shape.experts; ++e) number_[e] = 0;
  }

  // How many copies each GPU has in common with each that was there before: [gpus * gpus].
  void find(const int32_t* now, const int32_t* before, int32_t* common) {
    const int gpus = shape_.gpus, capacity = shape_.capacity();
    for (int g = 0; g < gpus; ++g)
      for (int h = 0; h < gpus; ++h) common[g * gpus + h] = of(now + g * capacity, before + h * capacity);
  }

  // Copies of one GPU that are on the other: what holds no expert is more than there are.
  int32_t of(const int32_t* now, const int32_t* before) {
    const int capacity = shape_.capacity();
    int32_t common = 0;
    for (int r = 0; r < capacity; ++r) ++number_[now[r]];
    for (int r = 0; r < capacity; ++r)
      if (before[r] < shape_.experts && number_[before[r]]-- > 0) ++common;
    for (int r = 0; r < capacity; ++r) number_[now[r]] = 0;
    for (int r = 0; r < capacity; ++r)
      if (before[r] < shape_.experts) number_[before[r]] = 0;
    return common;
  }

 private:
  const FollowingShape& shape_;
  int32_t* number_;  // [experts] copies on one GPU, nothing in between
};
