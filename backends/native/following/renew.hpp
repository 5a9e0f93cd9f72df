// algorithms/following/follow.py, renew and follow_or_renew: a layer whose plan may be made anew.

template <typename Index>
struct Renewed {
  const Index* previous;   // [slots]
  const Index* max_moves;  // of a layer; nothing where they don't count
  const float* min_gain;
  const Index* fresh;   // [slots]
  const float* weight;  // [samples * experts]
  Maps<Index> maps;

  Renewed of_layer(int64_t layer, const FollowingShape& shape) const {
    return {previous + layer * shape.slots,
            max_moves ? max_moves + layer : nullptr,
            min_gain + layer,
            fresh + layer * shape.slots,
            weight + layer * shape.samples * shape.experts,
            maps.of_layer(layer, shape)};
  }
};

// As `Follower`; or a fresh plan, its GPUs relabelled, where it is within the budget and better.
class FollowerOrRenewer {
 public:
  FollowerOrRenewer(const FollowingShape& shape, Memory& memory)
      : shape_(shape),
        gaining_(shape, memory),
        search_(shape, gaining_.system, memory),
        relabelling_(shape, memory),
        mapping_(shape, memory),
        fresh_(memory.take<int32_t>(shape.slots)) {}

  template <typename Index>
  void plan(const Renewed<Index>& layer) {
    gaining_.begin(layer.previous, *layer.max_moves, layer.weight);
    const int32_t* slots = search_.found();
    const System& system = gaining_.system;
    if (system.budget * kFreshFrom >= shape_.slots) {
      relabelling_.relabel(layer.fresh, system.held, fresh_);
      const bool fits = system.prices.spent_on(fresh_, system.held) <= system.budget;
      if (fits && gaining_.busiest(fresh_) < gaining_.busiest(slots)) slots = fresh_;
    }
    mapping_.write(gaining_.chosen(slots, *layer.min_gain), layer.maps);
  }

 private:
  static constexpr int64_t kFreshFrom = 4;

  const FollowingShape& shape_;
  Gaining gaining_;
  Search search_;
  Relabelling relabelling_;
  Mapping mapping_;
  int32_t* fresh_;  // [slots]
};

// A fresh plan, its GPUs called as those of the previous one, where it gains enough.
class Renewer {
 public:
  Renewer(const FollowingShape& shape, Memory& memory)
      : gaining_(shape, memory),
        relabelling_(shape, memory),
        mapping_(shape, memory),
        fresh_(memory.take<int32_t>(shape.slots)) {}

  template <typename Index>
  void plan(const Renewed<Index>& layer) {
    gaining_.begin(layer.previous, 0, layer.weight);
    relabelling_.relabel(layer.fresh, gaining_.system.held, fresh_);
    const float least = *layer.min_gain;
    mapping_.write(least > 0.0f ? gaining_.chosen(fresh_, least) : fresh_, layer.maps);
  }

 private:
  Gaining gaining_;
  Relabelling relabelling_;
  Mapping mapping_;
  int32_t* fresh_;  // [slots]
};
