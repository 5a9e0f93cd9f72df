// Lanes: so many numbers side by side, by the vector extensions of GCC and Clang.

constexpr int kLanes = EPLB_XP_LANES;
constexpr float kInfinite = __builtin_inff();

typedef float Floats __attribute__((vector_size(4 * EPLB_XP_LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * EPLB_XP_LANES)));

// Rounded up to whole vectors.
inline int padded(int number) { return (number + kLanes - 1) / kLanes * kLanes; }

inline Floats floats_at(const float* at) {
  Floats x;
  std::memcpy(&x, at, sizeof x);
  return x;
}

inline Ints ints_at(const int32_t* at) {
  Ints x;
  std::memcpy(&x, at, sizeof x);
  return x;
}

inline void store(float* at, Floats x) { std::memcpy(at, &x, sizeof x); }
inline void store(int32_t* at, Ints x) { std::memcpy(at, &x, sizeof x); }

inline Floats all(float x) { return x - Floats{}; }
inline Ints all(int32_t x) { return x - Ints{}; }

// The number of each lane.
inline Ints lane_numbers() {
  Ints number;
  for (int32_t i = 0; i < kLanes; ++i) number[i] = i;
  return number;
}

inline Floats larger(Floats x, Floats y) { return x > y ? x : y; }
inline Floats smaller(Floats x, Floats y) { return x < y ? x : y; }
inline Ints larger(Ints x, Ints y) { return x > y ? x : y; }
inline Ints smaller(Ints x, Ints y) { return x < y ? x : y; }
inline float larger(float x, float y) { return x > y ? x : y; }
inline float smaller(float x, float y) { return x < y ? x : y; }

inline Floats magnitude(Floats x) { return (Floats)((Ints)x & 0x7FFFFFFF); }

// The lanes so many steps on, round and round.
template <int kStep, typename V>
inline V rotated(V x) {
#if EPLB_XP_LANES == 8 && defined(__clang__)
  return __builtin_shufflevector(x, x, kStep, kStep + 1, kStep + 2, kStep + 3, kStep + 4, kStep + 5, kStep + 6,
                                 kStep + 7);
#elif defined(__clang__)
  return __builtin_shufflevector(x, x, kStep, kStep + 1, kStep + 2, kStep + 3);
#else
  return __builtin_shuffle(x, (lane_numbers() + kStep) & (kLanes - 1));
#endif
}

struct Smaller {
  template <typename V>
  V operator()(V x, V y) const { return smaller(x, y); }
};

struct Larger {
  template <typename V>
  V operator()(V x, V y) const { return larger(x, y); }
};

struct Sum {
  template <typename V>
  V operator()(V x, V y) const { return x + y; }
};

// All lanes taken together, two and two.
template <typename Take, typename V>
__attribute__((always_inline)) inline auto folded(V x) {
  const Take take;
  if constexpr (kLanes > 4) x = take(rotated<4>(x), x);
  x = take(rotated<2>(x), x);
  return take(rotated<1>(x), x)[0];
}

inline float smallest(Floats x) { return folded<Smaller>(x); }
inline float largest(Floats x) { return folded<Larger>(x); }
inline int32_t smallest(Ints x) { return folded<Smaller>(x); }
inline int32_t largest(Ints x) { return folded<Larger>(x); }
inline int32_t sum(Ints x) { return folded<Sum>(x); }

// A comparison that is combined with others bit by bit: GCC would blend, which takes three times as long.
inline Ints as_bits(Ints holds) {
#if defined(__x86_64__)
  asm("" : "+x"(holds));
#endif
  return holds;
}

// A bit for each lane in which a comparison holds.
inline unsigned lanes_where(Ints holds) {
#if defined(__x86_64__) && EPLB_XP_LANES == 8
  return static_cast<unsigned>(__builtin_ia32_movmskps256((Floats)holds));
#elif defined(__x86_64__)
  return static_cast<unsigned>(__builtin_ia32_movmskps((Floats)holds));
#else
  unsigned bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= (holds[i] != 0) << i;
  return bits;
#endif
}

inline bool any(Ints holds) { return lanes_where(holds) != 0; }

// The last lane first.
template <typename V>
inline V reversed(V x) {
#if EPLB_XP_LANES == 8 && defined(__clang__)
  return __builtin_shufflevector(x, x, 7, 6, 5, 4, 3, 2, 1, 0);
#elif EPLB_XP_LANES == 8
  return __builtin_shuffle(x, Ints{7, 6, 5, 4, 3, 2, 1, 0});
#elif defined(__clang__)
  return __builtin_shufflevector(x, x, 3, 2, 1, 0);
#else
  return __builtin_shuffle(x, Ints{3, 2, 1, 0});
#endif
}

// Bits of a float that is not negative: they order as it does.
inline int32_t bits_of(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of(int32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
