// algorithms/pipeline.py: a layer from its loads to its maps.

template <typename Index>
struct Planned {
  const float* weight;  // [experts]
  Maps<Index> maps;

  Planned of_layer(int64_t layer, const Shape& shape) const {
    return {weight + layer * shape.experts, maps.of_layer(layer, shape)};
  }
};

template <typename Index>
struct Placed {
  const float* weight;  // [experts]
  Index* phy2log;       // [slots]
  Index* rank;          // [slots]
  Index* logcnt;        // [experts]

  Placed of_layer(int64_t layer, const Shape& shape) const {
    const int64_t slots = layer * shape.layer_slots(), experts = layer * shape.experts;
    return {weight + experts, phy2log + slots, rank + slots, logcnt + experts};
  }
};

class Pipeline {
 public:
  Pipeline(const Shape& shape, Memory& memory)
      : shape_(shape), nodes_(shape, memory), load_(memory.take<float>(shape.experts)) {}

  template <typename Index>
  void plan(const Planned<Index>& layer) {
    const Placement& placed = place(layer.weight);
    write_maps(placed.expert, placed.rank, placed.count, shape_, layer.maps);
  }

  template <typename Index>
  void plan(const Placed<Index>& layer) {
    const Placement& placed = place(layer.weight);
    write(placed.expert, shape_.layer_slots(), layer.phy2log);
    write(placed.rank, shape_.layer_slots(), layer.rank);
    write(placed.count, shape_.experts, layer.logcnt);
  }

  // Replicas for the experts, and a slot for each.
  const Placement& place(const float* weight) {
    scale(weight, shape_.experts, load_);
    return nodes_.place(load_);
  }

 private:
  const Shape& shape_;
  Nodes nodes_;
  float* load_;  // [experts]
};
