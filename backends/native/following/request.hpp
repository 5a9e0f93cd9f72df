// Plans that follow others, or are for samples, as they are asked for: values of which none is trusted.

// What a search is told, each kind of request in the same order.
struct SearchNumbers {
  const Values &integers, &mark, &one, &other;

  bool read(FollowingShape& shape) const {
    constexpr size_t kBytes = offsetof(FollowingShape, paths) + sizeof(int32_t);
    if (!integers.are(1, kBytes)) return false;
    std::memcpy(static_cast<void*>(&shape), integers.data, kBytes);
    shape.one = one.as<const float>();
    shape.other = other.as<const float>();
    shape.mark = mark.as<const int32_t>();
    return true;
  }

  bool fit(const FollowingShape& shape) const {
    return mark.are(shape.paths, sizeof(int32_t)) && one.are(shape.paths, sizeof(float)) &&
           other.are(shape.paths, sizeof(float)) && shape.fits();
  }
};

// Read the shape of a search; why not, if what is asked for can't be done.
template <typename Asked>
const char* read_search(const Asked& asked, FollowingShape& shape, int most_lanes) {
  const SearchNumbers numbers{asked.integers, asked.mark, asked.one, asked.other};
  if (!numbers.read(shape)) return kOtherShape;
  const bool is_right = numbers.fit(shape) && asked.fits(shape) && may_be(asked.lanes, asked.threads, most_lanes);
  return is_right ? nullptr : kDoNotFit;
}

// Whether maps have the sizes of the shape.
inline bool are_maps(const Values& phy2log, const Values& log2phy, const Values& logcnt, int64_t layers, int64_t size,
                     const FollowingShape& shape) {
  const int64_t experts = layers * shape.experts;
  return phy2log.are(layers * shape.slots, size) && log2phy.are(experts * shape.width, size) && logcnt.are(experts, size);
}

// A plan within a budget.
struct FollowRequest {
  using Sizes = FollowingShape;
  static constexpr Kind kArguments[] = {Kind::kIndices, Kind::kIndices, Kind::kFloats, Kind::kFloats};
  static constexpr Kind kNumbers[] = {Kind::kInts, Kind::kInts, Kind::kFloats, Kind::kFloats};
  static constexpr Kind kResults[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices};

  Values previous, max_moves, min_gain, weight, integers, mark, one, other, phy2log, log2phy, logcnt;
  int lanes, threads;

  const char* read(FollowingShape& shape, int most_lanes) const { return read_search(*this, shape, most_lanes); }

  int64_t layers(const FollowingShape&) const { return min_gain.bytes / int64_t{sizeof(float)}; }
  int64_t index_size(const FollowingShape& shape) const { return index_size_of(max_moves, layers(shape)); }

  bool fits(const FollowingShape& shape) const {
    const int64_t number = layers(shape), size = index_size(shape);
    return shape.marks == 1 && (size == 4 || size == 8) && previous.are(number * shape.slots, size) &&
           max_moves.are(number, size) &&
           min_gain.are(number, sizeof(float)) && weight.are(number * shape.samples * shape.experts, sizeof(float)) &&
           are_maps(phy2log, log2phy, logcnt, number, size, shape);
  }
};

// A plan within a budget, or a fresh one.
struct FollowOrRenewRequest {
  using Sizes = FollowingShape;
  static constexpr Kind kArguments[] = {Kind::kIndices, Kind::kIndices, Kind::kFloats, Kind::kIndices, Kind::kFloats};
  static constexpr Kind kNumbers[] = {Kind::kInts, Kind::kInts, Kind::kFloats, Kind::kFloats};
  static constexpr Kind kResults[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices};

  Values previous, max_moves, min_gain, fresh, weight, integers, mark, one, other, phy2log, log2phy, logcnt;
  int lanes, threads;

  const char* read(FollowingShape& shape, int most_lanes) const { return read_search(*this, shape, most_lanes); }

  int64_t layers(const FollowingShape&) const { return min_gain.bytes / int64_t{sizeof(float)}; }
  int64_t index_size(const FollowingShape& shape) const { return index_size_of(max_moves, layers(shape)); }

  bool fits(const FollowingShape& shape) const {
    const int64_t number = layers(shape), size = index_size(shape);
    const FollowRequest without{previous, max_moves, min_gain, weight,  integers, mark, one, other,
                                phy2log,  log2phy,   logcnt,   lanes, threads};
    return without.fits(shape) && shape.may_renew() && fresh.are(number * shape.slots, size);
  }
};

// A fresh plan, whatever the budget.
struct RenewRequest {
  using Sizes = FollowingShape;
  static constexpr Kind kArguments[] = {Kind::kIndices, Kind::kFloats, Kind::kIndices, Kind::kFloats};
  static constexpr Kind kNumbers[] = {Kind::kInts, Kind::kInts, Kind::kFloats, Kind::kFloats};
  static constexpr Kind kResults[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices};

  Values previous, min_gain, fresh, weight, integers, mark, one, other, phy2log, log2phy, logcnt;
  int lanes, threads;

  const char* read(FollowingShape& shape, int most_lanes) const { return read_search(*this, shape, most_lanes); }

  int64_t layers(const FollowingShape&) const { return min_gain.bytes / int64_t{sizeof(float)}; }
  int64_t index_size(const FollowingShape& shape) const { return index_size_of(previous, layers(shape) * shape.slots); }

  bool fits(const FollowingShape& shape) const {
    const int64_t number = layers(shape), size = index_size(shape);
    return shape.may_renew() && (size == 4 || size == 8) && previous.are(number * shape.slots, size) &&
           min_gain.are(number, sizeof(float)) && fresh.are(number * shape.slots, size) &&
           weight.are(number * shape.samples * shape.experts, sizeof(float)) &&
           are_maps(phy2log, log2phy, logcnt, number, size, shape);
  }
};

// Plans for all numbers of moves.
struct FrontierRequest {
  using Sizes = FollowingShape;
  static constexpr Kind kArguments[] = {Kind::kIndices, Kind::kFloats};
  static constexpr Kind kNumbers[] = {Kind::kInts, Kind::kInts, Kind::kFloats, Kind::kFloats};
  static constexpr Kind kResults[] = {Kind::kIndices, Kind::kIndices, Kind::kFloats, Kind::kFloats};

  Values previous, weight, integers, mark, one, other, phy2log, logcnt, busiest, balancedness;
  int lanes, threads;

  const char* read(FollowingShape& shape, int most_lanes) const { return read_search(*this, shape, most_lanes); }

  int64_t layers(const FollowingShape& shape) const {
    return weight.bytes / (int64_t{shape.samples} * shape.experts * int64_t{sizeof(float)});
  }
  int64_t index_size(const FollowingShape& shape) const { return index_size_of(previous, layers(shape) * shape.slots); }

  bool fits(const FollowingShape& shape) const {
    const int64_t number = layers(shape), size = index_size(shape), marks = number * shape.marks;
    return (size == 4 || size == 8) && previous.are(number * shape.slots, size) &&
           weight.are(number * shape.samples * shape.experts, sizeof(float)) && phy2log.are(marks * shape.slots, size) &&
           logcnt.are(marks * shape.experts, size) && busiest.are(marks, sizeof(float)) &&
           balancedness.are(marks, sizeof(float));
  }
};
