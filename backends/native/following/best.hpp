// algorithms/following/path.py, Best and judged: the best placings on the way, and what finished slots are worth.

// The best placings so far: the best of all, or that of each number of moves.
class Best {
 public:
  Best(const FollowingShape& shape, const Placing& placing, Memory& memory)
      : shape_(shape),
        places_(placing.places()),
        expert_(memory.take<int32_t>(int64_t{shape.marks} * places_)),
        busiest_(memory.take<float>(int64_t{shape.marks} * shape.samples)),
        total_(memory.take<float>(shape.marks)) {}

  // Of a number of moves: the expert in each place, and for each sample the load of the busiest GPU.
  const int32_t* expert(int mark) const { return expert_ + int64_t{mark} * places_; }
  const float* busiest(int mark) const { return busiest_ + int64_t{mark} * shape_.samples; }

  // The placing that is there before any step, for no moves; for other numbers there is none yet.
  void begin(const Placing& start) {
    const float total = busiest_of(start);
    for (int mark = 0; mark < shape_.marks; ++mark) keep(start, mark, mark == 0 ? total : kInfinite);
  }

  // The placing, if its busiest GPUs have less in all than those of the best of as many moves.
  void judge(const Placing& placing) {
    const float total = busiest_of(placing);
    const int mark = placing.spent < shape_.marks ? static_cast<int>(placing.spent) : shape_.marks - 1;
    if (total < total_[mark]) keep(placing, mark, total);
  }

  // The best of at most so many moves.
  int within(int most) const {
    int best = 0;
    for (int mark = 1; mark <= most; ++mark)
      if (total_[mark] < total_[best]) best = mark;
    return best;
  }

 private:
  void keep(const Placing& placing, int mark, float total) {
    total_[mark] = total;
    for (int i = 0; i < shape_.samples; ++i) busiest_[int64_t{mark} * shape_.samples + i] = busiest_of(placing, i);
    std::memcpy(expert_ + int64_t{mark} * places_, placing.expert, sizeof(int32_t) * static_cast<size_t>(places_));
  }

  // Over samples.
  float busiest_of(const Placing& placing) const {
    float total = 0.0f;
    for (int i = 0; i < shape_.samples; ++i) total += busiest_of(placing, i);
    return total;
  }

  float busiest_of(const Placing& placing, int sample) const {
    const float* load = placing.gpu_load + sample * placing.width;
    Floats most{};
    for (int p = 0; p < placing.width; p += kLanes) most = larger(floats_at(load + p), most);
    return largest(most);
  }

  const FollowingShape& shape_;
  int places_;
  int32_t* expert_;  // [marks * places]
  float* busiest_;   // [marks * samples]
  float* total_;     // [marks] over samples; infinite where no placing had so many moves
};

// What the busiest GPUs of finished slots have.
class Judge {
 public:
  Judge(const FollowingShape& shape, const System& system, Memory& memory)
      : shape_(shape), system_(system), count_(memory.take<int32_t>(shape.experts)) {}

  // Over all samples.
  float busiest(const int32_t* slots) {
    const int capacity = shape_.capacity();
    for (int e = 0; e < shape_.experts; ++e) count_[e] = 0;
    for (int s = 0; s < shape_.slots; ++s) ++count_[slots[s]];
    float all_samples = 0.0f;
    for (int i = 0; i < shape_.samples; ++i) {
      const float* load = system_.load + i * shape_.experts;
      float most = 0.0f;
      for (int g = 0; g < shape_.gpus; ++g) {
        float total = 0.0f;
        for (int r = 0; r < capacity; ++r) {
          const int32_t e = slots[g * capacity + r];
          total += load[e] / static_cast<float>(count_[e]);
        }
        most = larger(total, most);
      }
      all_samples += most;
    }
    return all_samples;
  }

  // How many replicas each expert has in the slots that were looked at last: [experts].
  const int32_t* count() const { return count_; }

 private:
  const FollowingShape& shape_;
  const System& system_;
  int32_t* count_;  // [experts]
};
