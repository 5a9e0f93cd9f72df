// algorithms/sharing/stretches.py: which plans are rings.

inline int32_t following(int32_t gpu, int32_t size) { return gpu / size * size + (gpu % size + 1) % size; }

// The GPU of the next holder, behind the last of the first.
inline int32_t next_of(const int32_t* gpu, int i, int holders) { return gpu[i + 1 < holders ? i + 1 : 0]; }

class Stretches {
 public:
  Stretches(const SharingShape& shape, Memory& memory)
      : shape_(shape), links_(memory.take<int32_t>(shape.gpus)), is_full_(memory.take<int32_t>(shape.experts)) {}

  // Where the stretch of each expert begins, or -1, and how large rings are, or 0 where the layer is none.
  void find(const PreparedArrays<int32_t>& plan, const int32_t* gpu) {
    const int32_t size = ring_size(plan, gpu);
    *plan.size = choose_starts(plan, gpu, size) ? size : 0;
    if (*plan.size == 0)
      for (int e = 0; e < shape_.experts; ++e) plan.start[e] = -1;
  }

 private:
  // The fewest GPUs into sets of which they divide, neighbours together, without an expert in two.
  int32_t ring_size(const PreparedArrays<int32_t>& plan, const int32_t* gpu) const {
    for (int32_t size = 1; size < shape_.gpus; ++size)
      if (shape_.gpus % size == 0 && !splits(plan, gpu, size)) return size;
    return shape_.gpus;
  }

  bool splits(const PreparedArrays<int32_t>& plan, const int32_t* gpu, int32_t size) const {
    for (int e = 0; e < shape_.experts; ++e) {
      if (plan.holders[e] < 2) continue;
      const int32_t* its = gpu + plan.first[e];
      if (its[0] / size != its[plan.holders[e] - 1] / size) return true;
    }
    return false;
  }

  // Whether there are stretches, no two of which share a pair of neighbours.
  bool choose_starts(const PreparedArrays<int32_t>& plan, const int32_t* gpu, int32_t size) {
    for (int g = 0; g < shape_.gpus; ++g) links_[g] = 0;
    for (int e = 0; e < shape_.experts; ++e) {
      plan.start[e] = -1;
      is_full_[e] = 0;
      const int holders = plan.holders[e];
      if (holders < 2) continue;
      const int32_t* its = gpu + plan.first[e];
      int breaks = 0;
      for (int i = 0; i < holders; ++i) {
        const int32_t next = next_of(its, i, holders);
        if (next == following(its[i], size)) continue;
        ++breaks;
        plan.start[e] = next;
      }
      if (breaks > 1) return false;
      is_full_[e] = breaks == 0;
      if (breaks == 0) continue;
      for (int i = 0; i < holders; ++i) {
        const int32_t next = next_of(its, i, holders);
        if (next != plan.start[e] && ++links_[its[i]] > 1) return false;
      }
    }
    return choose_full(plan, gpu);
  }

  // One that is on the whole ring begins behind a pair that is another's.
  bool choose_full(const PreparedArrays<int32_t>& plan, const int32_t* gpu) {
    for (int e = 0; e < shape_.experts; ++e) {
      if (!is_full_[e]) continue;
      const int32_t* its = gpu + plan.first[e];
      int32_t start = -1;
      for (int i = 0; i < plan.holders[e]; ++i)
        if (links_[its[i]] > 0) start = std::max(start, next_of(its, i, plan.holders[e]));
      plan.start[e] = start < 0 ? its[0] : start;
    }
    for (int e = 0; e < shape_.experts; ++e) {
      if (!is_full_[e]) continue;
      const int32_t* its = gpu + plan.first[e];
      for (int i = 0; i < plan.holders[e]; ++i) {
        const int32_t next = next_of(its, i, plan.holders[e]);
        if (next != plan.start[e] && ++links_[its[i]] > 1) return false;
      }
    }
    return true;
  }

  const SharingShape& shape_;
  int32_t* links_;    // [gpus] stretches that go on from each to the next
  int32_t* is_full_;  // [experts] whether it is on the whole ring
};
