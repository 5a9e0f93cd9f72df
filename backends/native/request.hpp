// What is asked for, by Python or by XLA: values in their memory, none of which is trusted. Of each kind of request there is
// the order in which they come: arguments, then numbers that say how, then results. One that depends on what is in them has
// a reason for refusing it.

struct Values {
  void* data;
  int64_t bytes;

  bool are(int64_t number, int64_t size) const { return bytes == number * size; }

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Indices are of 4 or 8 bytes, all of a request alike; loads are floats, or whole numbers, which are of as many.
enum class Kind { kFloats, kInts, kIndices, kLoads, kTruths };

// A request of values in this order.
template <typename Request, size_t... kPlaces>
Request request_of(const Values* values, int lanes, int threads, std::index_sequence<kPlaces...>) {
  return {values[kPlaces]..., lanes, threads};
}

template <typename Request>
Request request(const Values* values, int lanes, int threads) {
  constexpr size_t kAll =
      std::size(Request::kArguments) + std::size(Request::kNumbers) + std::size(Request::kResults);
  return request_of<Request>(values, lanes, threads, std::make_index_sequence<kAll>());
}

constexpr const char* kOtherShape = "the shape has other numbers";
constexpr const char* kDoNotFit = "the arrays do not fit the shape, or there are no such lanes or threads";

// Why something was not done, if it wasn't: it can't be asked for, or is refused, and the once-written code has to do it.
struct Outcome {
  const char* reason;
  bool is_refusal;
};

// Whether work can be done so.
inline bool may_be(int lanes, int threads, int most_lanes) {
  return (lanes == 4 || lanes == most_lanes) && threads > 0;
}

// The integers and floats of a plan's shape, in the order of its fields; whether there are as many.
inline bool read_shape(const Values& integers, const Values& floats, const Values& strides, Shape& shape) {
  constexpr int64_t kIntegers = offsetof(Shape, threshold) / sizeof(int32_t), kFloats = 2;
  if (!integers.are(kIntegers, sizeof(int32_t)) || !floats.are(kFloats, sizeof(float))) return false;
  std::memcpy(static_cast<void*>(&shape), integers.data, kIntegers * sizeof(int32_t));
  std::memcpy(&shape.threshold, floats.data, kFloats * sizeof(float));
  shape.strides = strides.as<const int32_t>();
  return true;
}

// Read the shape of a plan; why not, if it can't be planned for.
template <typename Asked>
const char* read_plan(const Asked& asked, Shape& shape, int most_lanes) {
  if (!read_shape(asked.integers, asked.reals, asked.strides, shape)) return kOtherShape;
  const bool is_right = asked.strides.are(shape.turns, sizeof(int32_t)) && shape.fits() && asked.fits(shape);
  return is_right && may_be(asked.lanes, asked.threads, most_lanes) ? nullptr : kDoNotFit;
}

// Read sizes that are integers alone; why not, if what is asked for can't be done.
template <typename Asked>
const char* read_sizes(const Asked& asked, typename Asked::Sizes& shape, int most_lanes) {
  if (!asked.integers.are(1, sizeof shape)) return kOtherShape;
  std::memcpy(static_cast<void*>(&shape), asked.integers.data, sizeof shape);
  return shape.fits() && asked.fits(shape) && may_be(asked.lanes, asked.threads, most_lanes) ? nullptr : kDoNotFit;
}

inline int64_t layers_of(const Values& weight, const Shape& shape) {
  return weight.bytes / (int64_t{shape.experts} * int64_t{sizeof(float)});
}

// The bytes of an index, of an array of so many.
inline int64_t index_size_of(const Values& indices, int64_t number) { return number > 0 ? indices.bytes / number : 8; }

// A plan.
struct PlanRequest {
  using Sizes = Shape;
  static constexpr Kind kArguments[] = {Kind::kFloats};
  static constexpr Kind kNumbers[] = {Kind::kInts, Kind::kFloats, Kind::kInts};
  static constexpr Kind kResults[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices};

  Values weight, integers, reals, strides, phy2log, log2phy, logcnt;
  int lanes, threads;

  const char* read(Shape& shape, int most_lanes) const { return read_plan(*this, shape, most_lanes); }
  int64_t layers(const Shape& shape) const { return layers_of(weight, shape); }
  int64_t index_size(const Shape& shape) const { return index_size_of(logcnt, layers(shape) * shape.experts); }

  // Whether the arrays have the sizes of the shape.
  bool fits(const Shape& shape) const {
    const int64_t number = layers(shape), size = index_size(shape);
    return (size == 4 || size == 8) && weight.are(number * shape.experts, sizeof(float)) &&
           phy2log.are(number * shape.layer_slots(), size) &&
           log2phy.are(number * shape.experts * shape.width, size) && logcnt.are(number * shape.experts, size);
  }
};

// The same as slots, and which replica of its expert each holds.
struct PlaceRequest {
  using Sizes = Shape;
  static constexpr Kind kArguments[] = {Kind::kFloats};
  static constexpr Kind kNumbers[] = {Kind::kInts, Kind::kFloats, Kind::kInts};
  static constexpr Kind kResults[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices};

  Values weight, integers, reals, strides, phy2log, rank, logcnt;
  int lanes, threads;

  const char* read(Shape& shape, int most_lanes) const { return read_plan(*this, shape, most_lanes); }
  int64_t layers(const Shape& shape) const { return layers_of(weight, shape); }
  int64_t index_size(const Shape& shape) const { return index_size_of(logcnt, layers(shape) * shape.experts); }

  bool fits(const Shape& shape) const {
    const int64_t number = layers(shape), size = index_size(shape), slots = number * shape.layer_slots();
    return (size == 4 || size == 8) && weight.are(number * shape.experts, sizeof(float)) && phy2log.are(slots, size) &&
           rank.are(slots, size) && logcnt.are(number * shape.experts, size);
  }
};
