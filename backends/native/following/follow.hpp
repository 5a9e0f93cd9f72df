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

class Follower {
 public:
  Follower(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        beginning_(shape, memory),
        system_(shape, memory),
        turns_(shape, system_, memory),
        judge_(shape, system_, memory),
        keeping_(shape.capacity(), memory),
        mapping_(shape, memory),
        kept_(memory.take<int32_t>(shape.slots)) {}

  template <typename Index>
  void plan(const Followed<Index>& layer) {
    beginning_.begin(layer.previous, *layer.max_moves, layer.weight, system_);
    const Best& best = turns_.search();
    keeping_.keep(best.expert(0), turns_.width(), system_.before, shape_.gpus, kept_);
    const float before = judge_.busiest(system_.slots), gain = before - judge_.busiest(kept_);
    const bool gains = gain > 0.0f && gain >= *layer.min_gain * before;
    mapping_.write(gains ? kept_ : system_.slots, layer.maps);
  }

 private:
  const FollowingShape& shape_;
  Beginning beginning_;
  System system_;
  Turns turns_;
  Judge judge_;
  Keeping keeping_;
  Mapping mapping_;
  int32_t* kept_;  // [slots]
};
