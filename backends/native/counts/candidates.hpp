// algorithms/counts/candidates.py: counts to try, and how those are known that were tried before.

struct Candidate {
  int32_t* spare;  // [spares]
  int32_t* count;  // [experts]
  int32_t* item;   // [places] as they are packed
  float busiest;   // the load of the busiest pack
  float least;     // what that has at least

  Candidate() = default;
  Candidate(const Shape& shape, int places, Memory& memory)
      : spare(memory.take<int32_t>(shape.spares)),
        count(memory.take<int32_t>(shape.node_experts)),
        item(memory.take<int32_t>(places)),
        busiest(kInfinite),
        least(0.0f) {}
};

class Seen {
 public:
  Seen(const Shape& shape, Memory& memory)
      : experts_(shape.node_experts),
        mark_(memory.take<int32_t>(1 + int64_t{shape.generations} * shape.refined + shape.candidates())),
        mix_(memory.take<uint32_t>(shape.node_experts)) {}

  // Once for all rows.
  void prepare() {
    for (int e = 0; e < experts_; ++e) mix_[e] = hashed(hashed(static_cast<uint32_t>(e) + 1));
  }

  void clear() { number_ = kept_ = 0; }

  // Whether there were no such counts among those to remember, nor since; there are from now on.
  bool is_new(const int32_t* count) {
    const int32_t mark = mark_of(count);
    int again = 0;
    for (int i = 0; i < number_; ++i) again |= mark_[i] == mark;
    mark_[number_] = mark;
    number_ += !again;
    return !again;
  }

  // Forget all that is not to be remembered.
  void forget() { number_ = kept_; }

  void remember(const int32_t* count) {
    mark_[kept_++] = mark_of(count);
    number_ = kept_;
  }

 private:
  int32_t mark_of(const int32_t* count) const {
    uint32_t sum = 0;
    for (int e = 0; e < experts_; ++e) sum += static_cast<uint32_t>(count[e]) * mix_[e];
    return static_cast<int32_t>(sum & kMask);
  }

  int experts_;
  int number_ = 0, kept_ = 0;  // fingerprints, and those of them that are remembered, which come first
  int32_t* mark_;
  uint32_t* mix_;
};
