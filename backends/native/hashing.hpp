// algorithms/hashing.py: numbers that look drawn.

constexpr uint32_t kMask = 0x7FFFFFFF;

inline uint32_t hashed(uint32_t x) {
  x &= kMask;
  x = (x ^ x >> 16) * 0x45D9F3Bu & kMask;
  x = (x ^ x >> 15) * 0x2C1B3C6Du & kMask;
  return x ^ x >> 16;
}

inline int32_t below(uint32_t drawn, int32_t number) {
  return static_cast<int32_t>((drawn >> 17) * static_cast<uint32_t>(number) >> 14);
}
