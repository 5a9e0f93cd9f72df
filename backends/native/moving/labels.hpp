// algorithms/moving/labels.py: which GPU of the previous plan each GPU of the new one is called.

class Labels {
 public:
  Labels(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        assigning_(shape.nodes > shape.gpus_of_node() ? shape.nodes : shape.gpus_of_node(), memory),
        inside_(memory.take<int32_t>(int64_t{shape.nodes} * shape.gpus)),
        of_nodes_(memory.take<int32_t>(int64_t{shape.nodes} * shape.nodes)),
        node_(memory.take<int32_t>(shape.nodes)) {}

  // The labels under which GPUs have most in common [gpus * gpus] with those that had them; nodes stay together.
  void find(const int32_t* common, int32_t* label) {
    const int nodes = shape_.nodes, size = shape_.gpus_of_node(), gpus = shape_.gpus;
    if (nodes == 1) {
      assigning_.assign(common, gpus, gpus, label);
      return;
    }
    for (int n = 0; n < nodes; ++n)
      for (int m = 0; m < nodes; ++m) {
        const int32_t* its = common + int64_t{n} * size * gpus + m * size;
        int32_t* inside = inside_of(n, m);
        assigning_.assign(its, gpus, size, inside);
        int32_t best = 0;
        for (int i = 0; i < size; ++i) best += its[int64_t{i} * gpus + inside[i]];
        of_nodes_[n * nodes + m] = best;
      }
    assigning_.assign(of_nodes_, nodes, nodes, node_);
    for (int n = 0; n < nodes; ++n)
      for (int i = 0; i < size; ++i) label[n * size + i] = node_[n] * size + inside_of(n, node_[n])[i];
  }

 private:
  int32_t* inside_of(int n, int m) { return inside_ + (int64_t{n} * shape_.nodes + m) * shape_.gpus_of_node(); }

  const FollowingShape& shape_;
  Assigning assigning_;
  int32_t* inside_;    // [nodes * nodes * gpus of a node]
  int32_t* of_nodes_;  // [nodes * nodes] what they have in common
  int32_t* node_;      // [nodes]
};
