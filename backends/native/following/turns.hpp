// algorithms/following/turns.py: paths with targets of their own, first from the start, then below what these reached.

class Turns {
 public:
  Turns(const FollowingShape& shape, const System& system, Memory& memory)
      : shape_(shape),
        system_(system),
        start_(shape, system, memory),
        path_(shape, system, memory),
        best_(shape, start_, memory),
        lowest_(memory.take<float>(shape.samples)),
        from_(memory.take<float>(int64_t{shape.paths} * shape.samples)),
        target_(memory.take<float>(shape.samples)),
        of_node_(memory.take<float>(shape.experts)),
        tree_(memory.take<float>((shape.experts + 1) / 2)) {}

  const Best& search() {
    start_.begin();
    best_.begin(start_);
    find_lowest();
    const float least = tree_sum(system_.total, shape_.experts, tree_) * kLeastGain;
    for (int path = 0; path < shape_.paths; ++path) {
      if (path == 0) aim(0, shape_.wide);
      if (path == shape_.wide) aim(shape_.wide, shape_.paths);
      for (int i = 0; i < shape_.samples; ++i) {
        const float excess = from_[int64_t{path} * shape_.samples + i] - lowest_[i];
        target_[i] = lowest_[i] + (excess * shape_.one[path] + excess * shape_.other[path]);
      }
      path_.walk(start_, target_, least, static_cast<uint32_t>(path), path >= shape_.wide, best_);
    }
    return best_;
  }

  int width() const { return start_.width; }

 private:
  // What some paths are aimed below: what the best have now that have as few moves.
  void aim(int path, int end) {
    const size_t samples = static_cast<size_t>(shape_.samples);
    for (; path < end; ++path)
      std::memcpy(from_ + path * shape_.samples, best_.busiest(best_.within(shape_.mark[path])), sizeof(float) * samples);
  }

  // The mean GPU load of the node that has most, of each sample.
  void find_lowest() {
    float up = 1.0f;
    for (int items = shape_.experts; items > 0; items >>= 1) up *= 2.0f;
    for (int i = 0; i < shape_.samples; ++i) {
      const float* load = system_.load + i * shape_.experts;
      float most = 0.0f;
      for (int node = 0; node < shape_.nodes; ++node) {
        for (int e = 0; e < shape_.experts; ++e) of_node_[e] = system_.node[e] == node ? load[e] : 0.0f;
        const float total = tree_sum(of_node_, shape_.experts, tree_);
        most = larger(total * (1.0f / up) / static_cast<float>(shape_.gpus_of_node()), most);
      }
      lowest_[i] = most * up;
    }
  }

  const FollowingShape& shape_;
  const System& system_;
  Placing start_;
  Path path_;
  Best best_;
  float* lowest_;   // [samples]
  float* from_;     // [paths * samples] what busiest GPUs had that a path is aimed below
  float* target_;   // [samples]
  float* of_node_;  // [experts]
  float* tree_;     // [(experts + 1) / 2]
};
