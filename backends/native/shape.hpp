// What is the same for all rows of a plan, as launching/shape.py describes it; a row is a node of a layer, or the layer.

// Candidates of each level where there are several generations.
constexpr int32_t kOffspring = 16;

struct Shape {
  int32_t experts;  // of a layer
  int32_t groups;
  int32_t nodes;
  int32_t halves;        // splits of the groups over the nodes that are planned for
  int32_t node_experts;  // of a row, as all that follows
  int32_t fewest;        // replicas of an expert
  int32_t most;
  int32_t spares;  // replicas beyond the fewest
  int32_t gpus;
  int32_t slots;
  int32_t packed;  // items that are packed: replicas, or spares alone where every GPU has every expert
  int32_t width;   // of log2phy
  int32_t apart;   // whether a GPU may not have two replicas of an expert
  int32_t everywhere;
  int32_t ring;  // whether replicas are placed on one
  int32_t starts;
  int32_t noise;  // 2^12 is all of a load
  int32_t seed;
  int32_t lightest;
  int32_t rounds;
  int32_t finish;  // further steps, of what is packed before there are candidates
  int32_t levels;
  int32_t generations;
  int32_t refined;  // candidates of a generation that are improved
  int32_t parents;
  int32_t steps;  // further ones of a candidate
  int32_t turns;  // of a ring
  float threshold;
  float close;             // 1 + the policy's tolerance
  const int32_t* strides;  // [turns] of a ring

  int32_t capacity() const { return packed / gpus; }
  int32_t candidates() const { return (generations == 1 ? 2 : kOffspring) * levels; }  // of a generation
  int64_t layer_slots() const { return int64_t{slots} * nodes; }
  int32_t group_size() const { return experts / groups; }
  bool by_expert() const { return apart && !everywhere; }  // else each item is one of its own
  bool chooses() const { return gpus > 1 && packed > gpus; }

  // Whether nothing is read or written beyond its end, whatever the loads are.
  bool fits() const {
    for (int i = 0; i < turns; ++i)
      if (strides[i] < 1 || strides[i] > gpus) return false;
    const int64_t all = int64_t{node_experts} * fewest + spares, room = int64_t{node_experts} * (most - fewest);
    return experts > 0 && groups > 0 && nodes > 0 && gpus > 0 && node_experts > 0 && fewest > 0 && spares >= 0 &&
           slots > 0 && packed >= 0 && (halves == 1 || halves == 2) && experts % groups == 0 && groups % nodes == 0 &&
           node_experts == experts / nodes && (nodes == 1 || groups > 1) && slots % gpus == 0 && all == slots &&
           packed == (everywhere ? spares : slots) && fewest == (everywhere ? gpus : 1) && packed % gpus == 0 &&
           most >= fewest && room >= spares && (by_expert() ? most <= gpus || gpus == 1 : true) &&
           width >= (most - fewest < spares ? most : fewest + spares) && starts > 0 && noise >= 0 && rounds >= 0 &&
           finish >= 0 && levels >= 0 && levels <= spares && generations > 0 && steps >= 0 && turns >= 0 &&
           (levels == 0 || (by_expert() && refined > 0 && refined <= candidates() && parents > 0 && parents <= refined)) &&
           (!ring || (turns > 0 && by_expert() && chooses())) && (levels == 0 || chooses());
  }
};
