// How many replicas of each expert each GPU holds: a byte each, and a bit for whether there are any.

class Holders {
 public:
  Holders(const FollowingShape& shape, Memory& memory)
      : gpus_(shape.gpus),
        words_((shape.gpus + kBits - 1) / kBits),
        number_(memory.take<uint8_t>(int64_t{shape.experts} * gpus_)),
        bits_(memory.take<uint64_t>(int64_t{shape.experts} * words_)) {}

  int at(int32_t expert, int gpu) const { return number_[int64_t{expert} * gpus_ + gpu]; }

  // How many there are with one more.
  int add(int32_t expert, int gpu) {
    bits_[int64_t{expert} * words_ + gpu / kBits] |= uint64_t{1} << gpu % kBits;
    return ++number_[int64_t{expert} * gpus_ + gpu];
  }

  // How many there are with one fewer.
  int remove(int32_t expert, int gpu) {
    uint8_t& number = number_[int64_t{expert} * gpus_ + gpu];
    if (--number == 0) bits_[int64_t{expert} * words_ + gpu / kBits] &= ~(uint64_t{1} << gpu % kBits);
    return number;
  }

  void clear(int experts) {
    std::memset(number_, 0, static_cast<size_t>(experts) * static_cast<size_t>(gpus_));
    std::memset(bits_, 0, sizeof(uint64_t) * static_cast<size_t>(experts) * static_cast<size_t>(words_));
  }

  // Whether GPUs hold an expert, side by side.
  Ints are(int32_t expert, int gpu) const {
    const uint64_t word = bits_[int64_t{expert} * words_ + gpu / kBits];
    return (all(static_cast<int32_t>(word >> gpu % kBits & ((1 << kLanes) - 1))) & all(1) << lane_numbers()) != 0;
  }

  // The GPUs that hold an expert, ascending.
  template <typename Do>
  void each(int32_t expert, Do with) const {
    for (int word = 0; word < words_; ++word)
      for (uint64_t bits = bits_[int64_t{expert} * words_ + word]; bits != 0; bits &= bits - 1)
        with(word * kBits + __builtin_ctzll(bits));
  }

 private:
  static constexpr int kBits = 64;

  int gpus_, words_;
  uint8_t* number_;  // [experts * gpus]
  uint64_t* bits_;   // [experts * words]
};
