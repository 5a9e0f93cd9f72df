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
        mark_(memory.take<int32_t>(1 + int64_t{shape.generations} * shape.candidates())),
        mix_(memory.take<uint32_t>(shape.node_experts)) {}

  // Once for all rows.
  void prepare() {
    for (int e = 0; e < experts_; ++e) mix_[e] = hashed(hashed(static_cast<uint32_t>(e) + 1));
  }

  void clear() { number_ = 0; }

  // Whether there were no such counts; there are from now on.
  bool is_new(const int32_t* count) {
    uint32_t sum = 0;
    for (int e = 0; e < experts_; ++e) sum += static_cast<uint32_t>(count[e]) * mix_[e];
    const auto mark = static_cast<int32_t>(sum & kMask);
    int again = 0;
    for (int i = 0; i < number_; ++i) again |= mark_[i] == mark;
    mark_[number_++] = mark;
    return !again;
  }

 private:
  int experts_, number_ = 0;
  int32_t* mark_;  // fingerprints
  uint32_t* mix_;
};
