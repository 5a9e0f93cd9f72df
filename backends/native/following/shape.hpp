// What is the same for all layers of a plan that follows another, or is for samples, as launching/follows_from_numpy.py
// describes it.

struct FollowingShape {
  int32_t samples;
  int32_t experts;
  int32_t slots;
  int32_t gpus;
  int32_t groups;
  int32_t nodes;  // of the plan; an expert stays on its own
  int32_t most;   // replicas of one expert
  int32_t width;  // of log2phy
  int32_t changes_counts;  // else replicas only swap places
  int32_t keeps_links;     // whether only those of experts of one replica do
  int32_t near_gpus;       // GPUs of a node of the machine
  int32_t far_cost;        // moves that one from another such node counts
  int32_t divides;         // whether loads of samples are divided by their sums
  int32_t is_free;         // whether moves cost nothing
  int32_t marks;           // numbers of moves, each with a best of its own; 1 for the best of all
  int32_t wide;            // paths that are aimed from the start; others are aimed from what these reach
  int32_t paths;
  const float* one;     // [paths] of an excess what each path leaves, in two parts
  const float* other;   // [paths]
  const int32_t* mark;  // [paths] the most moves of what a path is aimed below

  int32_t capacity() const { return slots / gpus; }
  int32_t gpus_of_node() const { return gpus / nodes; }
  int32_t near_nodes() const { return gpus / near_gpus; }
  int32_t layer_slots() const { return slots; }

  static constexpr int64_t kMostCapacity = 255;   // a byte counts an expert's replicas on a GPU
  static constexpr int64_t kMostPairs = 1 << 26;  // of experts and GPUs, and of replicas and samples or marks
  static constexpr int64_t kMostSlots = 1 << 20;  // so that each step has a number

  // Whether all pairs of GPUs can be looked at.
  bool may_renew() const { return marks == 1 && int64_t{gpus} * gpus <= kMostPairs; }

  // Whether nothing is read or written beyond its end, whatever the arrays hold.
  bool fits() const {
    for (int i = 0; i < paths; ++i)
      if (mark[i] < 0 || mark[i] >= marks) return false;
    const int32_t most_possible = slots - experts + 1;
    return samples > 0 && experts > 0 && gpus > 0 && groups > 0 && groups <= experts && nodes > 0 && slots >= experts &&
           slots <= kMostSlots && slots % gpus == 0 && gpus % nodes == 0 && experts % nodes == 0 &&
           (nodes == 1 || (experts % groups == 0 && groups % nodes == 0)) && near_gpus > 0 && gpus % near_gpus == 0 &&
           most > 0 && int64_t{most} * experts >= slots && width >= (most < most_possible ? most : most_possible) &&
           far_cost > 0 && far_cost <= 1000 && wide >= 0 && wide <= paths && capacity() <= kMostCapacity &&
           marks > 0 && int64_t{experts} * gpus <= kMostPairs && int64_t{samples} * slots <= kMostPairs &&
           int64_t{marks} * slots <= kMostPairs;
  }
};
