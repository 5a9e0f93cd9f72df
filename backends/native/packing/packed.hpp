// algorithms/packing/packed.py: what is packed. The packing itself is improving/table.hpp.

struct Items {
  float* load;      // [items]
  int32_t* expert;  // [items] of which a pack must not get two of one
  int32_t* next;    // [items] another item of the expert, round and round

  Items(int number, Memory& memory)
      : load(memory.take<float>(number)), expert(memory.take<int32_t>(number)), next(memory.take<int32_t>(number)) {}

  // Each item is an expert of its own.
  void are_single(int number) {
    for (int i = 0; i < number; ++i) expert[i] = next[i] = i;
  }

  bool is_single(int32_t its_expert) const { return next[its_expert] == its_expert; }

  // Every expert once, then the spares.
  void are_replicas(int experts, const int32_t* spare, int spares) {
    are_single(experts);
    for (int k = 0; k < spares; ++k) {
      const int i = experts + k, e = spare[k];
      expert[i] = e;
      next[i] = next[e];
      next[e] = i;
    }
  }
};
