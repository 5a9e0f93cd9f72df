// algorithms/following/prices.py: what it costs to put an expert on a GPU that did not hold it.

class Prices {
 public:
  Prices(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        width_(padded(shape.experts)),
        price_(memory.take<float>(int64_t{nodes()} * width_)) {
    if (memory.is_real() && shape.far_cost == 1) fill(1.0f);
  }

  // Given what slots held before.
  void set(const int32_t* before) {
    if (shape_.far_cost == 1) return;
    fill(static_cast<float>(shape_.far_cost));
    for (int s = 0; s < shape_.slots; ++s)
      if (before[s] < shape_.experts) price_[index(before[s], s / shape_.capacity())] = 1.0f;
  }

  float on(int32_t expert, int gpu) const { return price_[index(expert, gpu)]; }

  // Those of all experts on a GPU, whole vectors.
  const float* of_gpu(int gpu) const { return price_ + index(0, gpu); }

  // Those of an expert on all GPUs.
  void of_expert(int32_t expert, float* price) const {
    for (int g = 0; g < shape_.gpus; ++g) price[g] = on(expert, g);
  }

  // The price of all slots that hold an expert that was not on their GPU.
  int64_t spent_on(const int32_t* slots, const int32_t* held) const {
    const int capacity = shape_.capacity();
    int64_t spent = 0;
    for (int s = 0; s < shape_.slots; ++s) {
      const int first = s / capacity * capacity;
      int copies = 0;
      for (int r = first; r <= s; ++r) copies += slots[r] == slots[s];
      for (int r = first; r < first + capacity; ++r) copies -= held[r] == slots[s];
      if (copies > 0) spent += static_cast<int64_t>(on(slots[s], s / capacity));
    }
    return spent;
  }

 private:
  // Nodes of the machine; where all moves cost the same, all GPUs are one.
  int nodes() const { return shape_.far_cost == 1 ? 1 : shape_.near_nodes(); }

  int64_t index(int32_t expert, int gpu) const {
    return shape_.far_cost == 1 ? expert : int64_t{gpu / shape_.near_gpus} * width_ + expert;
  }

  void fill(float price) {
    for (int64_t i = 0; i < int64_t{nodes()} * width_; ++i) price_[i] = price;
  }

  const FollowingShape& shape_;
  int width_;
  float* price_;  // [nodes * width]
};
