// A plan for the mean of samples, and steps for all of them; without paths no step is taken.

struct SampledShape {
  Shape plan;
  FollowingShape search;

  // Whether both are of the same plan.
  bool fits() const {
    return plan.fits() && search.fits() && plan.experts == search.experts && plan.nodes == search.nodes &&
           plan.layer_slots() == search.slots && int64_t{plan.gpus} * plan.nodes == search.gpus &&
           plan.width == search.width;
  }
};

struct SamplesRequest {
  using Sizes = SampledShape;
  static constexpr Kind kArguments[] = {Kind::kFloats};
  static constexpr Kind kNumbers[] = {Kind::kInts,   Kind::kInts, Kind::kFloats, Kind::kFloats,
                                      Kind::kFloats, Kind::kInts, Kind::kInts};
  static constexpr Kind kResults[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices};

  Values weight, integers, mark, one, other, reals, search, strides, phy2log, log2phy, logcnt;
  int lanes, threads;

  const char* read(SampledShape& shape, int most_lanes) const {
    const SearchNumbers numbers{search, mark, one, other};
    if (!read_shape(integers, reals, strides, shape.plan) || !numbers.read(shape.search)) return kOtherShape;
    const bool is_right = strides.are(shape.plan.turns, sizeof(int32_t)) && numbers.fit(shape.search) && shape.fits();
    return is_right && fits(shape) && may_be(lanes, threads, most_lanes) ? nullptr : kDoNotFit;
  }

  int64_t layers(const SampledShape& shape) const {
    return weight.bytes / (int64_t{shape.search.samples} * shape.search.experts * int64_t{sizeof(float)});
  }
  int64_t index_size(const SampledShape& shape) const { return index_size_of(logcnt, layers(shape) * shape.search.experts); }

 private:
  bool fits(const SampledShape& shape) const {
    const int64_t number = layers(shape), size = index_size(shape);
    return shape.search.marks == 1 && (size == 4 || size == 8) &&
           weight.are(number * shape.search.samples * shape.search.experts, sizeof(float)) &&
           are_maps(phy2log, log2phy, logcnt, number, size, shape.search);
  }
};
