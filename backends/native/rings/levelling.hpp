// algorithms/rings/levelling.py: experts of equally many replicas swap all their places, so that equal shares are even.

class Levelling {
 public:
  Levelling(const Shape& shape, Memory& memory)
      : shape_(shape),
        width_(padded(shape.node_experts)),
        expert_(memory.take<int32_t>(shape.node_experts)),
        count_(memory.take<int32_t>(width_)),
        share_(memory.take<float>(width_)),
        heaviest_(memory.take<float>(width_)),
        pack_load_(memory.take<float>(shape.gpus)) {}

  void level(const float* load, float total, const int32_t* count, int32_t* slot2expert) {
    const int experts = shape_.node_experts;
    for (int e = 0; e < width_; ++e) {
      count_[e] = e < experts ? count[e] : 0;  // of nobody, behind the last
      share_[e] = e < experts ? load[e] / static_cast<float>(count[e]) : 0.0f;
      heaviest_[e] = 0.0f;
    }
    for (int e = 0; e < experts; ++e) expert_[e] = e;
    const float least = total * shape_.threshold;
    for (int round = 0; round < shape_.rounds; ++round)
      if (!swap_best(slot2expert, least)) break;
    for (int s = 0; s < shape_.slots; ++s) slot2expert[s] = expert_[slot2expert[s]];
  }

 private:
  // The swap of seats that leaves the busiest of its packs the least load, the first by their seat, then by ours.
  bool swap_best(const int32_t* slot2seat, float least) {
    const int capacity = shape_.slots / shape_.gpus;
    const int busiest = add_up(slot2seat, capacity);
    const float high = pack_load_[busiest];
    const int32_t* ours = slot2seat + busiest * capacity;
    Floats best = all(kInfinite);
    Ints best_first{};
    for (int e = 0; e < width_; e += kLanes) {
      const Floats share = floats_at(share_ + e), heaviest = floats_at(heaviest_ + e);
      const Ints count = ints_at(count_ + e);
      Floats found = all(kInfinite);
      for (int r = 0; r < capacity; ++r) {
        const Floats after = busier(all(high), heaviest, share_[ours[r]] - share);
        found = smaller(count == count_[ours[r]] ? after : all(kInfinite), found);
      }
      best_first = found < best ? all(e) : best_first;
      best = smaller(found, best);
    }
    const float after = smallest(best);
    if (!((high - after) * static_cast<float>(shape_.gpus) > least)) return false;
    int theirs = INT32_MAX;
    for (int lane = 0; lane < kLanes; ++lane)
      if (best[lane] == after && best_first[lane] + lane < theirs) theirs = best_first[lane] + lane;
    for (int r = 0; r < capacity; ++r) {
      const int one = ours[r];
      if (count_[one] != count_[theirs]) continue;
      if (busier(high, heaviest_[theirs], share_[one] - share_[theirs]) != after) continue;
      std::swap(expert_[one], expert_[theirs]);
      std::swap(share_[one], share_[theirs]);
      break;
    }
    return true;
  }

  // The loads of packs, and of each seat that of its heaviest; the first of the busiest packs.
  int add_up(const int32_t* slot2seat, int capacity) {
    int busiest = 0;
    for (int e = 0; e < shape_.node_experts; ++e) heaviest_[e] = 0.0f;
    for (int p = 0; p < shape_.gpus; ++p) {
      const int32_t* seat = slot2seat + p * capacity;
      float total = share_[seat[0]];
      for (int r = 1; r < capacity; ++r) total += share_[seat[r]];
      pack_load_[p] = total;
      for (int r = 0; r < capacity; ++r) heaviest_[seat[r]] = larger(total, heaviest_[seat[r]]);
      busiest = total > pack_load_[busiest] ? p : busiest;
    }
    return busiest;
  }

  const Shape& shape_;
  int width_;
  int32_t* expert_;  // [experts] in each seat
  int32_t* count_;   // [width] slots of each seat
  float* share_;     // [width] of its expert, in one slot
  float* heaviest_;  // [width] the busiest of its packs
  float* pack_load_;
};
