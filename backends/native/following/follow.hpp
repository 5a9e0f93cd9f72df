// algorithms/following/follow.py: a layer from its previous plan to the maps of the one that follows it.

template <typename Index>
struct Followed {
  const Index* previous;   // [slots]
  const Index* max_moves;  // of a layer
  const float* min_gain;
  const float* weight;  // [samples * experts]
  Maps<Index> maps;

  Followed of_layer(int64_t layer, const FollowingShape& shape) const {
    return {previous + layer * shape.slots, max_moves + layer, min_gain + layer,
            weight + layer * shape.samples * shape.experts, maps.of_layer(layer, shape)};
  }
};

// What was there, and whether slots gain enough to be taken in its place.
class Gaining {
 public:
  System system;

  Gaining(const FollowingShape& shape, Memory& memory)
      : system(shape, memory), beginning_(shape, memory), judge_(shape, system, memory) {}

  template <typename Index>
  void begin(const Index* previous, int64_t max_moves, const float* weight) {
    beginning_.begin(previous, max_moves, weight, system);
  }

  float busiest(const int32_t* slots) { return judge_.busiest(slots); }

  // The slots, if they take at least so much of what the busiest GPUs had, relatively, else what was there.
  const int32_t* chosen(const int32_t* slots, float min_gain) {
    const float before = busiest(system.slots), gain = before - busiest(slots);
    return gain > 0.0f && gain >= min_gain * before ? slots : system.slots;
  }

 private:
  Beginning beginning_;
  Judge judge_;
};

class Search {
 public:
  Search(const FollowingShape& shape, const System& system, Memory& memory)
      : shape_(shape),
        system_(system),
        turns_(shape, system, memory),
        keeping_(shape.capacity(), memory),
        kept_(memory.take<int32_t>(shape.slots)) {}

  // The best slots that are found; experts that stay on their GPU keep theirs.
  const int32_t* found() {
    const Best& best = turns_.search();
    keeping_.keep(best.expert(0), turns_.width(), system_.before, shape_.gpus, kept_);
    return kept_;
  }

 private:
  const FollowingShape& shape_;
  const System& system_;
  Turns turns_;
  Keeping keeping_;
  int32_t* kept_;  // [slots]
};

class Follower {
 public:
  Follower(const FollowingShape& shape, Memory& memory)
      : gaining_(shape, memory), search_(shape, gaining_.system, memory), mapping_(shape, memory) {}

  template <typename Index>
  void plan(const Followed<Index>& layer) {
    gaining_.begin(layer.previous, *layer.max_moves, layer.weight);
    mapping_.write(gaining_.chosen(search_.found(), *layer.min_gain), layer.maps);
  }

 private:
  Gaining gaining_;
  Search search_;
  Mapping mapping_;
};
