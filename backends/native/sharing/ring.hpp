// algorithms/sharing/ring.py: shares on rings, exactly.

class Rings {
 public:
  Rings(const SharingShape& shape, Memory& memory)
      : gpus_(shape.gpus),
        begins_(memory.take<int32_t>(shape.gpus)),
        ends_(memory.take<bool>(shape.gpus)),
        into_(memory.take<int32_t>(shape.gpus)) {}

  // The best shares and their proof. The load of the busiest GPU is raised from below: GPUs in a row that must take more than
  // fits say how much more at least.
  void solve(const Table& table, int32_t* share, Proof& proof) {
    read(table);
    prove_trivially(table.alone, proof);
    const int32_t least = proof.least();
    int32_t most = least;
    while (const int32_t missing = flow(table.alone, most)) most += missing;
    write_shares(table, share);
    if (most > least) {
      flow(table.alone, most - 1);
      prove_by_arc(table.alone, most - 1, proof);
    }
  }

 private:
  void read(const Table& table) {
    size_ = *table.plan.size;
    for (int g = 0; g < gpus_; ++g) {
      begins_[g] = 0;
      ends_[g] = false;
    }
    for (int k = 0; k < table.number; ++k) {
      const int32_t e = table.several[k], start = table.plan.start[e];
      begins_[start] = begins_[start] + table.tokens[e];
      ends_[on(start, table.plan.holders[e] - 1)] = true;
    }
  }

  // The GPU so many steps on, less than a round.
  int32_t on(int32_t gpu, int32_t steps) const {
    const int32_t first = gpu / size_ * size_;
    return gpu + steps < first + size_ ? gpu + steps : gpu + steps - size_;
  }

  // What flows into each GPU if none has more than this, going twice round; how much more it must be, where too much is left
  // at the end of a stretch.
  int32_t flow(const int32_t* alone, int32_t most) {
    int32_t missing = 0;
    for (int32_t first = 0; first < gpus_; first += size_) {
      int32_t out = 0, length = 0;  // what flows on, and through how many GPUs it has
      const auto flow_on = [&](int g) {
        out = std::max(0, out + alone[g] + begins_[g] - most);
        length = out > 0 ? length + 1 : 0;
      };
      for (int g = first; g < first + size_; ++g) flow_on(g);
      for (int g = first; g < first + size_; ++g) {
        into_[g] = out;
        const int32_t over = out + alone[g] - most;
        if (ends_[g] && over > 0) missing = std::max(missing, (over + length) / (length + 1));
        flow_on(g);
      }
    }
    return missing;
  }

  void write_shares(const Table& table, int32_t* share) const {
    for (int k = 0; k < table.number; ++k) {
      const int32_t e = table.several[k], start = table.plan.start[e], holders = table.plan.holders[e];
      for (int i = table.begin(k); i < table.end(k); ++i) {
        const int32_t g = table.where->gpu[i], turn = g - start + (g < start ? size_ : 0);
        const int32_t out = into_[on(g, 1)];
        share[i] = turn == 0 ? table.tokens[e] - out : turn == holders - 1 ? into_[g] : into_[g] - out;
      }
    }
  }

  // The GPU with most tokens that are there alone, or the fullest ring.
  void prove_trivially(const int32_t* alone, Proof& proof) const {
    int32_t single = 0, fullest = 0, together = -1;
    for (int32_t first = 0; first < gpus_; first += size_) {
      int32_t on_ring = 0;
      for (int g = first; g < first + size_; ++g) {
        on_ring += alone[g] + begins_[g];
        if (alone[g] > alone[single]) single = g;
      }
      if (on_ring > together) {
        together = on_ring;
        fullest = first;
      }
    }
    const bool is_single = alone[single] >= (together + size_ - 1) / size_;
    proof.tokens = is_single ? alone[single] : together;
    proof.size = is_single ? 1 : size_;
    for (int g = 0; g < gpus_; ++g) proof.gpus[g] = is_single ? g == single : g >= fullest && g < fullest + size_;
  }

  // GPUs in a row that must take more than fits, up to the first where too much is left at a stretch's end.
  void prove_by_arc(const int32_t* alone, int32_t most, Proof& proof) const {
    int32_t last = 0;
    for (int g = gpus_ - 1; g >= 0; --g)
      if (ends_[g] && into_[g] + alone[g] > most) last = g;
    for (int g = 0; g < gpus_; ++g) proof.gpus[g] = false;
    const int32_t first = last / size_ * size_;
    int32_t gpu = last;
    proof.size = 0;
    proof.tokens = 0;
    // It begins where nothing flows in.
    for (bool goes_on = true; goes_on; gpu = gpu > first ? gpu - 1 : first + size_ - 1) {
      proof.gpus[gpu] = true;
      proof.tokens += alone[gpu] + (gpu == last ? 0 : begins_[gpu]);
      goes_on = ++proof.size < size_ && into_[gpu] != 0;
    }
  }

  int32_t gpus_;
  int32_t size_ = 1;
  int32_t* begins_;  // [gpus] tokens of the expert whose stretch begins there
  bool* ends_;       // [gpus] whether one ends there
  int32_t* into_;    // [gpus] what flows in
};
