// algorithms/sharing/shares.py: shares of a layer: whole tokens -> equal shares -> exactly on rings, else by matchings.

class Sharer {
 public:
  Sharer(const SharingShape& shape, Memory& memory)
      : shape_(shape),
        plan_(room_for_prepared(shape, memory)),
        preparing_(shape, memory),
        reading_(shape, memory),
        tokens_(shape, memory),
        table_(shape, memory),
        rings_(shape, memory),
        matchings_(shape, memory),
        best_(memory.take<int32_t>(shape.linked())),
        gpu_load_(memory.take<int32_t>(shape.gpus)) {}

  template <typename Index>
  void prepare(const Index* phy2log, const PreparedArrays<Index>& found) {
    write_prepared(preparing_.prepare(phy2log, plan_), shape_, found);
  }

  // Shares of a plan; whether its experts of several have no more replicas than where all are there, and there is such a
  // tolerance.
  template <typename Index, typename Load>
  bool share(const Index* phy2log, float tolerance, const Load* weight, const SharesArrays<Index>& found) {
    const PreparedArrays<int32_t> plan = preparing_.prepare(phy2log, plan_);
    int32_t of_several = 0;
    for (int e = 0; e < shape_.experts; ++e) of_several += plan.holders[e] > 1 ? plan.holders[e] : 0;
    return of_several <= shape_.linked() && share(plan, preparing_.where(), tolerance, weight, found);
  }

  // Shares of a plan for which this is prepared; whether it is of some plan.
  template <typename Index, typename Load>
  bool share(const PreparedArrays<const Index>& prepared, float tolerance, const Load* weight,
             const SharesArrays<Index>& found) {
    return reading_.read(prepared, plan_) && share(plan_, reading_.where, tolerance, weight, found);
  }

 private:
  static constexpr int kMostFineBits = 16;

  template <typename Index, typename Load>
  bool share(const PreparedArrays<int32_t>& plan, const Holding& where, float tolerance, const Load* weight,
             const SharesArrays<Index>& found) {
    if (!(tolerance >= 0.0f && tolerance <= 1.0f)) return false;
    tokens_.read(weight);
    table_.read(plan, where, tokens_.count);
    Proof proof{0, 1, found.proof};
    int32_t busiest;
    if (*plan.size > 0) {
      rings_.solve(table_, best_, proof);
      busiest = table_.add_up(best_, 0, gpu_load_);
      *found.rounds = 0;
    } else {
      if (!matchings_.arrange(table_)) return false;
      table_.share_equally(0, best_);
      busiest = table_.add_up(best_, 0, gpu_load_);
      for (int g = 0; g < shape_.gpus; ++g) found.proof[g] = g == 0;
      *found.rounds = matchings_.level(table_, fine_bits(), tolerance, best_, busiest, proof);
    }
    table_.write(best_, found.share, found.gpu_load);
    *found.busiest = busiest;
    const float bound = *found.lower_bound = proof.rounded_down();
    *found.gap = bound > 0.0f ? larger(static_cast<float>(busiest) / bound - 1.0f, 0.0f) : 0.0f;
    return true;
  }

  // By how many bits all tokens of a layer may be shifted.
  int fine_bits() const {
    const int64_t total = tokens_.total();
    int bits = 0;
    while (bits < kMostFineBits && total <= kMostTokens >> (bits + 1)) ++bits;
    return bits;
  }

  const SharingShape& shape_;
  PreparedArrays<int32_t> plan_;
  Preparing preparing_;
  Reading reading_;
  Tokens tokens_;
  Table table_;
  Rings rings_;
  Matchings matchings_;
  int32_t* best_;      // [linked]
  int32_t* gpu_load_;  // [gpus]
};

// The layers that are left, one after the other; whether all could be shared.
template <typename Index>
inline bool share_layers(const Batch<Index>& batch, const SharingShape& shape, Work& work) {
  bool are_shared = true;
  with_scratch<Sharer>(shape, [&](Sharer& sharer) {
    const auto share = [&](const auto* weight, int64_t layer) {
      const auto* its = weight + layer * shape.experts;
      const SharesArrays<Index> found = batch.found.of_layer(layer, shape);
      const float tolerance = batch.tolerance[layer];
      return batch.phy2log ? sharer.share(batch.phy2log + layer * shape.slots, tolerance, its, found)
                           : sharer.share(batch.prepared.of_layer(layer, shape), tolerance, its, found);
    };
    for (int64_t layer; (layer = work.next()) >= 0;)
      are_shared &= shape.are_integers ? share(batch.weight.template as<const Index>(), layer)
                                       : share(batch.weight.template as<const float>(), layer);
  });
  return are_shared;
}

template <typename Index>
inline void prepare_layers(const Index* phy2log, const PreparedArrays<Index>& found, const SharingShape& shape,
                           Work& work) {
  with_scratch<Sharer>(shape, [&](Sharer& sharer) {
    for (int64_t layer; (layer = work.next()) >= 0;)
      sharer.prepare(phy2log + layer * shape.slots, found.of_layer(layer, shape));
  });
}
