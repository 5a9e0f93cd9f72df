// algorithms/sharing/proofs.py: what no shares can beat.

struct Proof {
  int32_t tokens;  // that these GPUs must take
  int32_t size;    // how many they are
  bool* gpus;      // [gpus] which

  // Tokens that the busiest GPU has at least.
  int32_t least() const { return (tokens + size - 1) / size; }

  bool is_stronger(const Proof& other) const {
    return int64_t{tokens} * other.size > int64_t{other.tokens} * size;
  }

  // Tokens over GPUs, never more than they are: their quotient is no nearer to a float above it than 2^-44 of it.
  float rounded_down() const {
    const double quotient = static_cast<double>(tokens) / size;
    int64_t bits;
    double cut;
    std::memcpy(&bits, &quotient, sizeof bits);
    bits &= -(int64_t{1} << 29);
    std::memcpy(&cut, &bits, sizeof cut);
    return static_cast<float>(cut);
  }
};

class Proofs {
 public:
  Proofs(const SharingShape& shape, Memory& memory)
      : gpus_(shape.gpus),
        sorter_(shape.gpus, memory),
        load_(memory.take<float>(shape.gpus)),
        order_(memory.take<int32_t>(shape.gpus)),
        rank_(memory.take<int32_t>(shape.gpus)),
        held_(memory.take<int32_t>(shape.gpus)) {}

  // The strongest of the sets of the busiest GPUs; `mark` says which they are.
  Proof of_busiest(const Table& table, const int32_t* gpu_load) {
    for (int g = 0; g < gpus_; ++g) load_[g] = static_cast<float>(gpu_load[g]);
    sorter_.descending(load_, gpus_, order_);
    for (int i = 0; i < gpus_; ++i) {
      rank_[order_[i]] = i;
      held_[i] = table.alone[order_[i]];
    }
    // An expert counts with the last of its GPUs.
    for (int k = 0; k < table.number; ++k) {
      int32_t last = 0;
      for (int i = table.begin(k); i < table.end(k); ++i) last = std::max(last, rank_[table.where->gpu[i]]);
      held_[last] += table.tokens[table.several[k]];
    }
    int32_t inside = 0, most = -1;
    float most_rest = 0.0f;
    Proof best{0, 1, nullptr};
    for (int32_t size = 1; size <= gpus_; ++size) {
      inside += held_[size - 1];
      const int32_t whole = inside / size;
      if (whole < most) continue;
      const float rest = static_cast<float>(inside - whole * size) * 0x1p-12f / static_cast<float>(size);
      if (whole == most && rest <= most_rest) continue;
      most = whole;
      most_rest = rest;
      best = {inside, size, nullptr};
    }
    return best;
  }

  // The GPUs of the set that was found last.
  void mark(int32_t size, bool* gpus) const {
    for (int g = 0; g < gpus_; ++g) gpus[g] = rank_[g] < size;
  }

 private:
  int32_t gpus_;
  Sorter sorter_;
  float* load_;     // [gpus]
  int32_t* order_;  // [gpus] busiest first
  int32_t* rank_;   // [gpus] how many are busier
  int32_t* held_;   // [gpus] tokens that each adds to those before it
};
