// algorithms/pipeline.py: a layer from its loads to its maps.

template <typename Index>
struct Planned {
  const float* weight;  // [experts]
  Maps<Index> maps;

  Planned of_layer(int64_t layer, const Shape& shape) const {
    return {weight + layer * shape.experts, maps.of_layer(layer, shape)};
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
