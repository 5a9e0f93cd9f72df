// A plan that is asked for, by Python or by XLA: values in their memory, none of which is trusted.

struct Values {
  void* data;
  int64_t bytes;

  bool are(int64_t number, int64_t size) const { return bytes == number * size; }

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

struct Request {
  Values weight, integers, floats, strides, phy2log, log2phy, logcnt;
  int lanes, threads;

  // The integers and floats of a shape, in the order of its fields.
  static constexpr int64_t kIntegers = offsetof(Shape, threshold) / sizeof(int32_t), kFloats = 2;

  // Read the shape; why not, if it can't be planned for.
  const char* read(Shape& shape, int most_lanes) const {
    if (!integers.are(kIntegers, sizeof(int32_t)) || !floats.are(kFloats, sizeof(float)))
      return "the shape has other numbers";
    std::memcpy(static_cast<void*>(&shape), integers.data, kIntegers * sizeof(int32_t));
    std::memcpy(&shape.threshold, floats.data, kFloats * sizeof(float));
    shape.strides = static_cast<const int32_t*>(strides.data);
    const bool is_there = lanes == 4 || lanes == most_lanes;
    if (!strides.are(shape.turns, sizeof(int32_t)) || !shape.fits() || !fits(shape) || !is_there || threads < 1)
      return "the arrays do not fit the shape, or there are no such lanes or threads";
    return nullptr;
  }

  int64_t layers(const Shape& shape) const {
    return shape.experts > 0 ? weight.bytes / (int64_t{shape.experts} * int64_t{sizeof(float)}) : 0;
  }

  // The bytes of an index.
  int64_t index_size(const Shape& shape) const {
    const int64_t numbers = layers(shape) * shape.experts;
    return numbers > 0 ? logcnt.bytes / numbers : 8;
  }

 private:
  // Whether the arrays have the sizes of the shape.
  bool fits(const Shape& shape) const {
    const int64_t number = layers(shape), size = index_size(shape);
    return (size == 4 || size == 8) && weight.are(number * shape.experts, sizeof(float)) &&
           phy2log.are(number * shape.layer_slots(), size) &&
           log2phy.are(number * shape.experts * shape.width, size) && logcnt.are(number * shape.experts, size);
  }
};
