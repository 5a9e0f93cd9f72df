// algorithms/scaling.py: the largest load of a layer in [1, 2), by a power of two.

// What one unit of the loads is in tokens.
inline float scale(const float* weight, int number, float* load) {
  float top = 0.0f;
  for (int e = 0; e < number; ++e) {
    const float x = weight[e];
    load[e] = x >= 0x1p-125f && x < kInfinite ? x : 0.0f;
    top = larger(load[e], top);
  }
  if (top == 0.0f) return 1.0f;
  const float first = top >= 0x1p64f ? 0x1p-64f : 1.0f;
  const float second = float_of((254 << 23) - (bits_of(top * first) & 0x7F800000));
  for (int e = 0; e < number; ++e) {
    const float x = load[e] * first * second;
    load[e] = x >= 0x1p-60f ? x : 0.0f;
  }
  return float_of((254 << 23) - bits_of(second)) * (top >= 0x1p64f ? 0x1p64f : 1.0f);
}
