// How many replicas of each expert each GPU holds: a byte each, the row of an expert padded to whole words.

struct Holders {
  int stride;
  uint8_t* number;  // [experts * stride]

  Holders(const FollowingShape& shape, Memory& memory)
      : stride((shape.gpus + kWord - 1) / kWord * kWord), number(memory.take<uint8_t>(int64_t{shape.experts} * stride)) {}

  uint8_t& at(int32_t expert, int gpu) { return number[int64_t{expert} * stride + gpu]; }
  uint8_t at(int32_t expert, int gpu) const { return number[int64_t{expert} * stride + gpu]; }

  void clear(int experts) { std::memset(number, 0, static_cast<size_t>(experts) * static_cast<size_t>(stride)); }

  // Whether GPUs hold an expert, side by side.
  Ints are(int32_t expert, int gpu) const {
    typedef uint8_t Bytes __attribute__((vector_size(kLanes)));
    Bytes bytes;
    std::memcpy(&bytes, number + int64_t{expert} * stride + gpu, sizeof bytes);
    return __builtin_convertvector(bytes, Ints) > 0;
  }

  // The GPUs that hold an expert, ascending.
  template <typename Do>
  void each(int32_t expert, Do with) const {
    const uint8_t* its = number + int64_t{expert} * stride;
    for (int first = 0; first < stride; first += kWord) {
      uint64_t word;
      std::memcpy(&word, its + first, sizeof word);
      if (word == 0) continue;
      for (int g = first; g < first + kWord; ++g)
        if (its[g] > 0) with(g);
    }
  }

  static constexpr int kWord = 8;
};
