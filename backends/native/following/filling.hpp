// algorithms/following/filling.py: empty slots are filled, which hold nobody, one more than there are experts.

class Filling {
 public:
  Filling(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        number_(memory.take<int32_t>(shape.experts)),
        share_(memory.take<float>(shape.experts)),
        gpu_load_(memory.take<float>(shape.gpus)) {}

  // First with experts that are nowhere, heaviest first.
  void add_missing(const float* load, const int32_t* node, int32_t* expert) {
    for (;;) {
      look(load, expert);
      int which = -1;
      for (int e = 0; e < shape_.experts; ++e)
        if (number_[e] == 0 && (which < 0 || load[e] > load[which])) which = e;
      if (which < 0) return;
      expert[slot_for_missing(expert, node[which])] = which;
    }
  }

  // Then all of them; what counts as having been there is nobody where a replica was added.
  void fill(const float* load, const int32_t* node, const Prices& prices, float budget, int32_t* expert,
            int32_t* before) {
    std::memcpy(before, expert, sizeof(int32_t) * static_cast<size_t>(shape_.slots));
    float spent = 0.0f;
    for (;;) {
      int slot = first_empty_of_lightest(load, expert);
      if (slot < 0) return;
      const int gpu = slot / shape_.capacity();
      int heaviest = -1, lightest = -1;
      for (int e = 0; e < shape_.experts; ++e) {
        if (number_[e] >= shape_.most || node[e] != gpu / shape_.gpus_of_node()) continue;
        if (holds(expert, gpu, e)) {
          if (lightest < 0 || share_[e] < share_[lightest]) lightest = e;
        } else if (heaviest < 0 || share_[e] > share_[heaviest]) {
          heaviest = e;
        }
      }
      if (heaviest >= 0) {
        const float then = spent + prices.on(heaviest, gpu);
        if (then <= budget || lightest < 0) {
          spent = then;
          expert[slot] = heaviest;
          continue;
        }
      }
      expert[slot] = before[slot] = lightest < 0 ? 0 : lightest;
    }
  }

 private:
  bool is_empty(int32_t expert) const { return expert == shape_.experts; }

  bool holds(const int32_t* expert, int gpu, int32_t which) const {
    const int capacity = shape_.capacity();
    for (int r = 0; r < capacity; ++r)
      if (expert[gpu * capacity + r] == which) return true;
    return false;
  }

  // Replicas and share of each expert, and the load of each GPU.
  void look(const float* load, const int32_t* expert) {
    const int capacity = shape_.capacity();
    for (int e = 0; e < shape_.experts; ++e) number_[e] = 0;
    for (int s = 0; s < shape_.slots; ++s)
      if (!is_empty(expert[s])) ++number_[expert[s]];
    for (int e = 0; e < shape_.experts; ++e)
      share_[e] = load[e] / static_cast<float>(number_[e] > 1 ? number_[e] : 1);
    for (int g = 0; g < shape_.gpus; ++g) {
      const int32_t* its = expert + g * capacity;
      float total = is_empty(its[0]) ? 0.0f : share_[its[0]];
      for (int r = 1; r < capacity; ++r) total += is_empty(its[r]) ? 0.0f : share_[its[r]];
      gpu_load_[g] = total;
    }
  }

  // An empty slot of the lightest GPU that has one, else the slot of the lightest replica whose expert has others.
  int slot_for_missing(const int32_t* expert, int node) const {
    const int capacity = shape_.capacity(), slots = capacity * shape_.gpus_of_node(), first = node * slots;
    int slot = -1;
    for (int s = first; s < first + slots; ++s)
      if (is_empty(expert[s]) && (slot < 0 || gpu_load_[s / capacity] < gpu_load_[slot / capacity])) slot = s;
    if (slot >= 0) return slot;
    for (int s = first; s < first + slots; ++s)
      if (number_[expert[s]] > 1 && (slot < 0 || share_[expert[s]] < share_[expert[slot]])) slot = s;
    return slot < 0 ? 0 : slot;
  }

  int first_empty_of_lightest(const float* load, const int32_t* expert) {
    const int capacity = shape_.capacity();
    bool has_empty = false;
    for (int s = 0; s < shape_.slots && !has_empty; ++s) has_empty = is_empty(expert[s]);
    if (!has_empty) return -1;
    look(load, expert);
    int slot = -1;
    for (int s = 0; s < shape_.slots; ++s)
      if (is_empty(expert[s]) && (slot < 0 || gpu_load_[s / capacity] < gpu_load_[slot / capacity])) slot = s;
    return slot;
  }

  const FollowingShape& shape_;
  int32_t* number_;  // [experts]
  float* share_;     // [experts]
  float* gpu_load_;  // [gpus]
};
