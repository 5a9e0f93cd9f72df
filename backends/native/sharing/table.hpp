// algorithms/sharing/table.py: the tokens of a batch. Shares are those of the holders of experts of several, run by run, as
// `place` has them; what is on a GPU alone stays there.

class Table {
 public:
  Table(const SharingShape& shape, Memory& memory)
      : shape_(shape), several(memory.take<int32_t>(shape.experts)), alone(memory.take<int32_t>(shape.gpus)) {}

  void read(const PreparedArrays<int32_t>& its_plan, const Holding& its_where, const int32_t* its_tokens) {
    plan = its_plan;
    where = &its_where;
    tokens = its_tokens;
    number = 0;
    for (int g = 0; g < shape_.gpus; ++g) alone[g] = 0;
    for (int e = 0; e < shape_.experts; ++e) {
      several[number] = e;
      number += plan.holders[e] > 1;
      if (plan.holders[e] > 0) alone[where->last_gpu[e]] += plan.holders[e] == 1 ? tokens[e] : 0;
    }
  }

  // Shares of the holders of each expert that differ by one at most, tokens being shifted by so many bits.
  void share_equally(int fine, int32_t* share) const {
    for (int k = 0; k < number; ++k) {
      const int32_t e = several[k], holders = plan.holders[e], all_of_it = tokens[e] << fine;
      const int32_t each = all_of_it / holders, more = all_of_it % holders;
      for (int i = 0; i < holders; ++i) share[plan.first[e] + i] = each + (i < more);
    }
  }

  // What each GPU has; what the busiest one has.
  int32_t add_up(const int32_t* share, int fine, int32_t* gpu_load) const {
    for (int g = 0; g < shape_.gpus; ++g) gpu_load[g] = alone[g] << fine;
    for (int k = 0; k < number; ++k)
      for (int i = begin(k); i < end(k); ++i) gpu_load[where->gpu[i]] += share[i];
    return largest(gpu_load, shape_.gpus);
  }

  // The shares slot by slot, and what each GPU has.
  template <typename Index>
  void write(const int32_t* share, Index* slot_share, Index* gpu_load) const {
    std::fill(slot_share, slot_share + shape_.slots, 0);
    for (int e = 0; e < shape_.experts; ++e)
      if (plan.holders[e] > 0) slot_share[where->last_slot[e]] = tokens[e];
    std::copy(alone, alone + shape_.gpus, gpu_load);
    for (int k = 0; k < number; ++k)
      for (int i = begin(k); i < end(k); ++i) {
        slot_share[where->slot[i]] = share[i];
        gpu_load[where->gpu[i]] += share[i];
      }
  }

  static int32_t largest(const int32_t* value, int number) {
    int32_t most = 0;
    for (int i = 0; i < number; ++i) most = std::max(most, value[i]);
    return most;
  }

  // Where the holders of each of the experts of several begin, and end.
  int begin(int k) const { return plan.first[several[k]]; }
  int end(int k) const { return begin(k) + plan.holders[several[k]]; }

 private:
  const SharingShape& shape_;

 public:
  PreparedArrays<int32_t> plan{};
  const Holding* where = nullptr;
  const int32_t* tokens = nullptr;  // [experts]
  int number = 0;                   // of experts of several holders
  int32_t* several;                 // [experts] these first
  int32_t* alone;                   // [gpus] tokens of experts that are there alone
};
