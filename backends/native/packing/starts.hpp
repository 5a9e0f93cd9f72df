// algorithms/packing/starts.py: what a start sorts by.

inline void sort_keys(const float* load, int number, int start, const Shape& shape, float* key) {
  const uint32_t of_start = hashed(hashed(static_cast<uint32_t>(shape.seed)) + static_cast<uint32_t>(start));
  const int64_t noise = int64_t{start} * shape.noise / (shape.starts > 1 ? shape.starts - 1 : 1);
  for (int i = 0; i < number; ++i) {
    const int32_t u = static_cast<int32_t>(hashed(of_start + static_cast<uint32_t>(i)) >> 20);
    const float factor = 1.0f + static_cast<float>(u * static_cast<int32_t>(noise)) * 0x1p-23f;
    key[i] = load[i] * factor;
  }
}
