// algorithms/following/cleaning.py: what of a previous plan can be kept.

class Cleaning {
 public:
  Cleaning(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        number_(memory.take<int32_t>(shape.experts)),
        held_(memory.take<int32_t>(shape.nodes > 1 ? int64_t{shape.groups} * shape.nodes : 0)),
        node_of_group_(memory.take<int32_t>(shape.groups)),
        room_(memory.take<int32_t>(shape.nodes)) {}

  // The expert in each slot, nobody being one more than there are; and the node of each expert.
  template <typename Index>
  void keep(const Index* previous, int32_t* expert, int32_t* node) {
    const int experts = shape_.experts;
    for (int s = 0; s < shape_.slots; ++s)
      expert[s] = previous[s] >= 0 && previous[s] < experts ? static_cast<int32_t>(previous[s]) : experts;
    for (int e = 0; e < experts; ++e) number_[e] = node[e] = 0;
    if (shape_.nodes > 1) keep_on_nodes(expert, node);
    for (int s = 0; s < shape_.slots; ++s)
      if (expert[s] < experts && number_[expert[s]]++ >= shape_.most) expert[s] = experts;
  }

 private:
  void keep_on_nodes(int32_t* expert, int32_t* node) {
    const int size = shape_.experts / shape_.groups, slots = shape_.slots / shape_.nodes;
    find_nodes(expert, size, slots);
    for (int e = 0; e < shape_.experts; ++e) node[e] = node_of_group_[e / size];
    for (int s = 0; s < shape_.slots; ++s)
      if (expert[s] < shape_.experts && node[expert[s]] != s / slots) expert[s] = shape_.experts;
  }

  // The node of each group: that which holds most of it, as far as there is room; most of all groups come first.
  void find_nodes(const int32_t* expert, int size, int slots) {
    const int groups = shape_.groups, nodes = shape_.nodes;
    std::memset(held_, 0, sizeof(int32_t) * static_cast<size_t>(groups) * static_cast<size_t>(nodes));
    for (int s = 0; s < shape_.slots; ++s)
      if (expert[s] < shape_.experts) ++held_[expert[s] / size * nodes + s / slots];
    for (int g = 0; g < groups; ++g) node_of_group_[g] = nodes;
    for (int n = 0; n < nodes; ++n) room_[n] = groups / nodes;
    for (int placed = 0; placed < groups; ++placed) {
      int best = -1, group = 0, node = 0;
      for (int g = 0; g < groups; ++g) {
        if (node_of_group_[g] < nodes) continue;
        for (int n = 0; n < nodes; ++n) {
          if (room_[n] == 0 || held_[g * nodes + n] <= best) continue;
          best = held_[g * nodes + n];
          group = g;
          node = n;
        }
      }
      node_of_group_[group] = node;
      --room_[node];
    }
  }

  const FollowingShape& shape_;
  int32_t* number_;         // [experts]
  int32_t* held_;           // [groups * nodes] slots
  int32_t* node_of_group_;  // [groups]
  int32_t* room_;           // [nodes] for so many more groups
};
