// algorithms/pipeline.py: a layer from its loads to its maps.

class Pipeline {
 public:
  Pipeline(const Shape& shape, Memory& memory)
      : shape_(shape), nodes_(shape, memory), load_(memory.take<float>(shape.experts)) {}

  template <typename Index>
  void plan(const float* weight, Maps<Index> maps) {
    scale(weight, shape_.experts, load_);
    const Placement& placed = nodes_.place(load_);
    write_maps(placed.expert, placed.rank, placed.count, shape_, maps);
  }

 private:
  const Shape& shape_;
  Nodes nodes_;
  float* load_;  // [experts]
};

// The layers that are left, one after the other.
template <typename Index>
inline void plan_layers(const float* weight, const Shape& shape, Maps<Index> maps, Work& work) {
  const int64_t experts = shape.experts, width = shape.width;
  with_scratch<Pipeline>(shape, [&](Pipeline& pipeline) {
    for (int64_t layer; (layer = work.next()) >= 0;) {
      pipeline.plan(weight + layer * experts,
                    Maps<Index>{maps.phy2log + layer * shape.layer_slots(), maps.log2phy + layer * experts * width,
                                maps.logcnt + layer * experts});
    }
  });
}
