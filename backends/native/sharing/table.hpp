// algorithms/sharing/table.py: the tokens of a batch. Shares are those of the holders of experts of several, run by run, as
// `place` has them; what is on a GPU alone stays there.

class Table {
 public:
  Table(const SharingShape& shape, Memory& memory)
      : shape_(shape), several(memory.take<int32_t>(shape.experts)), alone(memory.take<int32_t>(shape.gpus)) {}

  void read(const PreparedArrays<int32_t>& its_plan, const int32_t* its_gpu, const int32_t* its_tokens) {
    plan = its_plan;
    gpu = its_gpu;
    tokens = its_tokens;
    number = 0;
    for (int e = 0; e < shape_.experts; ++e)
      if (plan.holders[e] > 1) several[number++] = e;
    for (int g = 0; g < shape_.gpus; ++g) alone[g] = 0;
    for (int g = 0, p = 0; p < shape_.slots; ++p) {
      alone[g] += own(p);
      g = g + 1 < shape_.gpus ? g + 1 : 0;
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
      for (int i = begin(k); i < end(k); ++i) gpu_load[gpu[i]] += share[i];
    return largest(gpu_load, shape_.gpus);
  }

  // The shares slot by slot, and what each GPU has.
  void write(const int32_t* share, int64_t* slot_share, int64_t* gpu_load) const {
    const int gpus = shape_.gpus, capacity = shape_.capacity();
    for (int r = 0; r < capacity; ++r)
      for (int g = 0; g < gpus; ++g) slot_share[g * capacity + r] = own(r * gpus + g);
    for (int g = 0; g < gpus; ++g) gpu_load[g] = alone[g];
    for (int k = 0; k < number; ++k)
      for (int i = begin(k); i < end(k); ++i) {
        slot_share[gpu[i] * capacity + plan.place[i] / gpus] = share[i];
        gpu_load[gpu[i]] += share[i];
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
  // Tokens of a place that is its expert's only one.
  int32_t own(int p) const {
    const int32_t e = plan.expert[p];
    return e < shape_.experts && plan.holders[e] == 1 ? tokens[e] : 0;
  }

  const SharingShape& shape_;

 public:
  PreparedArrays<int32_t> plan{};
  const int32_t* gpu = nullptr;     // [linked] of each place
  const int32_t* tokens = nullptr;  // [experts]
  int number = 0;                   // of experts of several holders
  int32_t* several;                 // [number] these
  int32_t* alone;                   // [gpus] tokens of experts that are there alone
};
