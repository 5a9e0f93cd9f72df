// algorithms/nodes.py: whole groups of experts on nodes, each of which plans for its own experts.

// A placement of a layer.
struct Placement {
  int32_t* node2log;  // [experts] node after node
  int32_t* expert;    // [slots]
  int32_t* rank;      // [slots]
  int32_t* count;     // [experts]

  Placement(const Shape& shape, Memory& memory)
      : node2log(memory.take<int32_t>(shape.experts)),
        expert(memory.take<int32_t>(shape.layer_slots())),
        rank(memory.take<int32_t>(shape.layer_slots())),
        count(memory.take<int32_t>(shape.experts)) {}
};

class Nodes {
 public:
  Nodes(const Shape& shape, Memory& memory)
      : shape_(shape),
        groups_(shape.groups, memory),
        table_(shape.groups, shape.nodes, memory),
        tools_(shape.groups, shape.groups, table_, memory),
        placer_(shape, memory),
        first_(shape, memory),
        second_(shape, memory),
        tree_(memory.take<float>((shape.group_size() + 1) / 2)),
        node_load_(memory.take<float>(shape.node_experts)),
        node_count_(memory.take<int32_t>(shape.node_experts)) {
    if (memory.is_real()) groups_.are_single(shape.groups);
  }

  // Groups as EPLB packs them; and with the policy's swaps too, where that can split them otherwise.
  const Placement& place(const float* load) {
    place_by_node(load, 0, first_);
    if (shape_.halves == 1) return first_;
    place_by_node(load, shape_.rounds, second_);
    return busiest(load, second_) < busiest(load, first_) ? second_ : first_;
  }

 private:
  void place_by_node(const float* load, int rounds, Placement& found) {
    split(load, rounds, found.node2log);
    const int experts = shape_.node_experts, slots = shape_.slots;
    for (int node = 0; node < shape_.nodes; ++node) {
      const int32_t* expert = found.node2log + node * experts;
      int32_t* placed = found.expert + node * slots;
      for (int e = 0; e < experts; ++e) node_load_[e] = load[expert[e]];
      placer_.place(node_load_, placed, found.rank + node * slots, node_count_);
      for (int s = 0; s < slots; ++s) placed[s] = expert[placed[s]];
      for (int e = 0; e < experts; ++e) found.count[expert[e]] = node_count_[e];
    }
  }

  // The experts of each node, node after node.
  void split(const float* load, int rounds, int32_t* node2log) {
    const int size = shape_.group_size();
    if (shape_.groups == 1) {
      for (int e = 0; e < size; ++e) node2log[e] = e;
      return;
    }
    for (int g = 0; g < shape_.groups; ++g) groups_.load[g] = tree_sum(load + g * size, size, tree_);
    assign(table_, groups_, shape_.groups, Effort{1, rounds, 0, false}, shape_, tools_);
    for (int node = 0; node < table_.packs; ++node)
      for (int r = 0; r < table_.capacity; ++r) {
        const int32_t group = table_.item[r * table_.width + node];
        for (int i = 0; i < size; ++i) *node2log++ = group * size + i;
      }
  }

  // The load of the busiest GPU.
  float busiest(const float* load, const Placement& placed) const {
    const int capacity = shape_.slots / shape_.gpus;
    float most = 0.0f;
    for (const int32_t *slot = placed.expert, *end = slot + shape_.layer_slots(); slot < end; slot += capacity) {
      float total = 0.0f;
      for (int r = 0; r < capacity; ++r) total += load[slot[r]] / static_cast<float>(placed.count[slot[r]]);
      most = larger(total, most);
    }
    return most;
  }

  const Shape& shape_;
  Items groups_;
  Table table_;
  Tools tools_;
  Placer placer_;
  Placement first_, second_;
  float* tree_;          // [(group size + 1) / 2]
  float* node_load_;     // [node experts]
  int32_t* node_count_;  // [node experts]
};
