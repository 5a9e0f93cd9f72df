// algorithms/rings/layout.py: where on the ring each replica goes, were there always room.

class Layout {
 public:
  Layout(const Shape& shape, Memory& memory)
      : shape_(shape), order_(memory.take<int32_t>(shape.node_experts)), start_(memory.take<int64_t>(shape.node_experts)) {}

  // rows.mixed_order, once for all rows.
  void prepare(Sorter& sorter, float* key) {
    for (int e = 0; e < shape_.node_experts; ++e)
      key[e] = static_cast<float>(hashed(hashed(static_cast<uint32_t>(e) + 1)) >> 8);
    sorter.ascending(key, shape_.node_experts, order_);
  }

  // Of a row.
  void begin(const int32_t* count) {
    const int64_t whole = shape_.spares / shape_.gpus * shape_.gpus, rest = shape_.spares % shape_.gpus;
    int64_t before = 0;
    for (int i = 0; i < shape_.node_experts; ++i) {
      const int32_t e = order_[i];
      start_[e] = before < whole ? before : whole + (before - whole) * shape_.gpus / (rest > 0 ? rest : 1);
      before += count[e] - 1;
    }
  }

  int32_t gpu_of_replica(int32_t expert, int32_t rank) const {
    const int64_t position = start_[expert] + rank;
    const int64_t stride = shape_.strides[position / shape_.gpus % shape_.turns];
    return static_cast<int32_t>(position % shape_.gpus * stride % shape_.gpus);
  }

 private:
  const Shape& shape_;
  int32_t* order_;  // [experts] that looks drawn
  int64_t* start_;  // [experts] the position of the first replica
};
