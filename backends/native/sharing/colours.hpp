// algorithms/sharing/colours.py: when the holders of an expert meet.

inline int32_t span(int32_t holders) { return (holders - 1) | 1; }

// Each expert of several holders takes the first colours that are free on all its GPUs, in the order of turns.
inline void choose_colours(const SharingShape& shape, const int32_t* by_turn, const PreparedArrays<int32_t>& plan,
                           const int32_t* gpu) {
  for (int e = 0; e < shape.experts; ++e) plan.colour[e] = -1;
  for (int t = 0; t < shape.experts && plan.holders[by_turn[t]] > 1; ++t) {
    const int32_t e = by_turn[t], width = span(plan.holders[e]);
    const int32_t* its = gpu + plan.first[e];
    int32_t begin = 0;
    // Behind what is in its way, until nothing is.
    for (bool moves = true; moves;) {
      moves = false;
      for (int i = 0; i < plan.holders[e]; ++i)
        for (int p = its[i]; p < shape.slots; p += shape.gpus) {
          const int32_t other = plan.expert[p];
          if (other == shape.experts || plan.colour[other] < 0) continue;
          const int32_t end = plan.colour[other] + span(plan.holders[other]);
          if (plan.colour[other] < begin + width && end > begin) {
            begin = end;
            moves = true;
          }
        }
    }
    plan.colour[e] = begin;
  }
}
