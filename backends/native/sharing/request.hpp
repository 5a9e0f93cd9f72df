// Shares, and what they need to know of a plan, as they are asked for: values of which none is trusted.

// Of so many layers, and of indices of this size.
template <typename Asked>
bool are_prepared(const Asked& asked, int64_t layers, const SharingShape& shape) {
  const int64_t size = shape.index_bytes, experts = layers * shape.experts;
  return asked.expert.are(layers * shape.slots, size) && asked.place.are(layers * shape.linked(), size) &&
         asked.first.are(experts, size) && asked.holders.are(experts, size) && asked.colour.are(experts, size) &&
         asked.start.are(experts, size) && asked.size.are(layers, size);
}

template <typename Asked>
bool are_shares(const Asked& asked, int64_t layers, const SharingShape& shape) {
  const int64_t size = shape.index_bytes, gpus = layers * shape.gpus;
  return asked.share.are(layers * shape.slots, size) && asked.gpu_load.are(gpus, size) &&
         asked.busiest.are(layers, size) && asked.lower_bound.are(layers, sizeof(float)) &&
         asked.proof.are(gpus, sizeof(bool)) && asked.gap.are(layers, sizeof(float)) && asked.rounds.are(layers, size);
}

// Tolerances and loads.
template <typename Asked>
bool is_batch(const Asked& asked, int64_t layers, const SharingShape& shape) {
  const int64_t size = shape.are_integers ? shape.index_bytes : int64_t{sizeof(float)};
  return asked.tolerance.are(layers, sizeof(float)) && asked.weight.are(layers * shape.experts, size);
}

// What shares need to know of a plan.
struct PrepareRequest {
  using Sizes = SharingShape;
  static constexpr Kind kArguments[] = {Kind::kIndices};
  static constexpr Kind kNumbers[] = {Kind::kInts};
  static constexpr Kind kResults[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices, Kind::kIndices,
                                      Kind::kIndices, Kind::kIndices, Kind::kIndices};

  Values phy2log, integers, expert, place, first, holders, colour, start, size;
  int lanes, threads;

  const char* read(SharingShape& shape, int most_lanes) const { return read_sizes(*this, shape, most_lanes); }
  int64_t layers(const SharingShape& shape) const { return size.bytes / shape.index_bytes; }
  int64_t index_size(const SharingShape& shape) const { return shape.index_bytes; }

  bool fits(const SharingShape& shape) const {
    return phy2log.are(layers(shape) * shape.slots, shape.index_bytes) && are_prepared(*this, layers(shape), shape);
  }
};

constexpr char kNotShared[] =
    "native code shares by plans of all experts, what prepare_shares made of one, and tolerances from 0 to 1";

constexpr Kind kShares[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices, Kind::kFloats,
                            Kind::kTruths,  Kind::kFloats,  Kind::kIndices};

// Shares of a plan for which this is prepared.
struct ShareRequest {
  using Sizes = SharingShape;
  static constexpr const char* kRefusal = kNotShared;
  static constexpr Kind kArguments[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices, Kind::kIndices, Kind::kIndices,
                                        Kind::kIndices, Kind::kIndices, Kind::kFloats,  Kind::kLoads};
  static constexpr Kind kNumbers[] = {Kind::kInts};
  static constexpr const auto& kResults = kShares;

  Values expert, place, first, holders, colour, start, size, tolerance, weight, integers;
  Values share, gpu_load, busiest, lower_bound, proof, gap, rounds;
  int lanes, threads;

  const char* read(SharingShape& shape, int most_lanes) const { return read_sizes(*this, shape, most_lanes); }
  int64_t layers(const SharingShape&) const { return tolerance.bytes / int64_t{sizeof(float)}; }
  int64_t index_size(const SharingShape& shape) const { return shape.index_bytes; }

  bool fits(const SharingShape& shape) const {
    const int64_t number = layers(shape);
    return are_prepared(*this, number, shape) && is_batch(*this, number, shape) && are_shares(*this, number, shape);
  }
};

// Shares of a plan.
struct ShareOfPlanRequest {
  using Sizes = SharingShape;
  static constexpr const char* kRefusal = kNotShared;
  static constexpr Kind kArguments[] = {Kind::kIndices, Kind::kFloats, Kind::kLoads};
  static constexpr Kind kNumbers[] = {Kind::kInts};
  static constexpr const auto& kResults = kShares;

  Values phy2log, tolerance, weight, integers, share, gpu_load, busiest, lower_bound, proof, gap, rounds;
  int lanes, threads;

  const char* read(SharingShape& shape, int most_lanes) const { return read_sizes(*this, shape, most_lanes); }
  int64_t layers(const SharingShape&) const { return tolerance.bytes / int64_t{sizeof(float)}; }
  int64_t index_size(const SharingShape& shape) const { return shape.index_bytes; }

  bool fits(const SharingShape& shape) const {
    const int64_t number = layers(shape);
    return phy2log.are(number * shape.slots, shape.index_bytes) && is_batch(*this, number, shape) &&
           are_shares(*this, number, shape);
  }
};
