// algorithms/trying/family.py, lanes.py: the best candidates of a generation, and those that the next is made from.

// The lightest so far, as packed; of equal ones those that came first.
class Kept {
 public:
  Kept(const Shape& shape, int places, Memory& memory)
      : most_(shape.refined), at_(memory.take<Candidate>(shape.levels > 0 ? shape.refined + 1 : 0)) {
    for (int i = 0; shape.levels > 0 && i <= most_; ++i) {
      const Candidate candidate(shape, places, memory);
      if (memory.is_real()) at_[i] = candidate;
    }
  }

  void clear() { number_ = 0; }
  int number() const { return number_; }
  Candidate& operator[](int i) { return at_[i]; }

  // Where a candidate is made.
  Candidate& next() { return at_[number_]; }

  // Whether the next would be kept.
  bool wants(float busiest) const { return number_ < most_ || busiest < at_[number_ - 1].busiest; }

  // Keep it; the one that has no room is where the next is made.
  void keep(float busiest) {
    int i = number_;
    at_[i].busiest = busiest;
    for (; i > 0 && busiest < at_[i - 1].busiest; --i) std::swap(at_[i], at_[i - 1]);
    number_ = number_ < most_ ? number_ + 1 : most_;
  }

  // The lightest first once they are improved, of equal ones in the order they had.
  void rank() {
    for (int i = 1; i < number_; ++i)
      for (int j = i; j > 0 && at_[j].busiest < at_[j - 1].busiest; --j) std::swap(at_[j], at_[j - 1]);
  }

 private:
  int most_, number_ = 0;
  Candidate* at_;  // [most + 1]
};

// Counts that offspring is made from, the best first.
class Parents {
 public:
  Parents(const Shape& shape, Memory& memory)
      : shape_(shape), at_(memory.take<Candidate>(shape.generations > 1 ? shape.parents : 0)) {
    for (int i = 0; shape.generations > 1 && i < shape.parents; ++i) {
      const Candidate candidate(shape, 0, memory);
      if (memory.is_real()) at_[i] = candidate;
    }
  }

  void begin(const Spares& spares) {
    number_ = 1;
    copy(spares.expert, spares.count, at_[0]);
  }

  // They stay where a generation has none.
  void follow(Kept& kept) {
    if (kept.number() == 0) return;
    number_ = kept.number() < shape_.parents ? kept.number() : shape_.parents;
    for (int i = 0; i < number_; ++i) copy(kept[i].spare, kept[i].count, at_[i]);
  }

  const Candidate& of(int candidate) const { return at_[candidate % number_]; }

  // How many offspring of the same parent come before a candidate.
  int before(int candidate) const { return candidate / number_; }

 private:
  void copy(const int32_t* spare, const int32_t* count, Candidate& to) const {
    std::memcpy(to.spare, spare, sizeof(int32_t) * static_cast<size_t>(shape_.spares));
    std::memcpy(to.count, count, sizeof(int32_t) * static_cast<size_t>(shape_.node_experts));
  }

  const Shape& shape_;
  int number_ = 1;
  Candidate* at_;  // [parents]
};
