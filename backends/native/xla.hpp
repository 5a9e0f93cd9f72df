// XLA's calls of what it has not compiled, as far as a plan needs them. Their layout is XLA's stable binary interface, of
// which the versions 0.1 to 0.3 differ in nothing that is here; so nothing of jaxlib is needed to build this.

namespace xla {

struct Extension {
  size_t size;
  int32_t kind;
  Extension* next;
};

struct Version {
  size_t size;
  Extension* extensions;
  int32_t major, minor;
};

struct Metadata {
  size_t size;
  Version version;
  uint32_t traits;
};

struct MetadataExtension {
  Extension base;
  Metadata* metadata;
};

struct Error;

struct Failure {
  size_t size;
  Extension* extensions;
  const char* message;
  int32_t code;
};

struct Api {
  size_t size;
  Extension* extensions;
  Version version;
  const void* internal;
  Error* (*make_error)(Failure*);
};

struct Buffer {
  size_t size;
  Extension* extensions;
  int32_t dtype;
  void* data;
  int64_t rank;
  int64_t* dims;
};

struct Buffers {
  size_t size;
  Extension* extensions;
  int64_t number;
  int32_t* kinds;
  Buffer** at;
};

struct Array {
  int32_t dtype;
  size_t number;
  void* data;
};

struct Attributes {
  size_t size;
  Extension* extensions;
  int64_t number;
  int32_t* kinds;
  const void** names;
  Array** at;  // in the order of their names
};

struct Frame {
  size_t size;
  Extension* extensions;
  const Api* api;
  void* context;
  int32_t stage;
  Buffers arguments, results;
  Attributes attributes;
};

constexpr int32_t kMajor = 0, kOldest = 1, kNewest = 3;
constexpr int32_t kIsMetadata = 1, kExecute = 3;
constexpr int32_t kIsBuffer = 1, kIsArray = 1;
constexpr int32_t kInt32 = 4, kInt64 = 5, kFloat32 = 11;
constexpr int32_t kInvalidArgument = 3, kResourceExhausted = 8;

// Whether calls can be read.
inline bool is_known(const Frame* frame) {
  if (frame->size < sizeof(Frame) || !frame->api || frame->api->size < sizeof(Api)) return false;
  return frame->api->version.major == kMajor && frame->api->version.minor >= kOldest;
}

inline Error* failed(const Frame* frame, int32_t code, const char* message) {
  Failure failure{offsetof(Failure, code) + sizeof(int32_t), nullptr, message, code};
  return frame->api->make_error(&failure);
}

// Say which version this is: the caller's as far as it is known, the oldest where the caller doesn't tell (jaxlib 0.8), none
// where calls can't be read; XLA then registers nothing.
inline void describe(const Frame* frame, Metadata* metadata) {
  if (metadata->size < offsetof(Metadata, traits) + sizeof(uint32_t)) return;
  const bool may_be = frame->size >= sizeof(Frame) && (!frame->api || is_known(frame));
  metadata->version.major = may_be ? kMajor : -1;
  metadata->version.minor = !may_be ? -1 : frame->api ? std::min(frame->api->version.minor, kNewest) : kOldest;
  metadata->traits = 0;
}

// Whether all are buffers of this type, or of the same of the two.
inline bool are(const Buffers& buffers, int64_t number, int32_t dtype, int32_t other) {
  if (buffers.number != number) return false;
  for (int64_t i = 0; i < number; ++i) {
    const int32_t its = buffers.at[i]->dtype;
    if (buffers.kinds[i] != kIsBuffer || (its != dtype && its != other) || its != buffers.at[0]->dtype) return false;
  }
  return true;
}

inline bool are_arrays(const Attributes& attributes, std::initializer_list<int32_t> dtypes) {
  if (attributes.number != static_cast<int64_t>(dtypes.size())) return false;
  int64_t i = 0;
  for (const int32_t dtype : dtypes) {
    if (attributes.kinds[i] != kIsArray || attributes.at[i]->dtype != dtype) return false;
    ++i;
  }
  return true;
}

inline Values values(const Buffer& buffer) {
  int64_t number = 1;
  for (int64_t i = 0; i < buffer.rank; ++i) number *= buffer.dims[i];
  return {buffer.data, number * (buffer.dtype == kInt64 ? 8 : 4)};
}

inline Values values(const Array& array) { return {array.data, static_cast<int64_t>(array.number) * 4}; }

// Answer a call: `make` plans what is asked for, in so many lanes, or says why not.
template <typename Make>
Error* answer(const Frame* frame, int lanes, Make make) {
  for (Extension* each = frame->extensions; each; each = each->next) {
    if (each->kind == kIsMetadata) {
      describe(frame, reinterpret_cast<MetadataExtension*>(each)->metadata);
      return nullptr;
    }
  }
  if (!is_known(frame) || frame->stage != kExecute) return nullptr;
  const Attributes& its = frame->attributes;
  if (!are(frame->arguments, 1, kFloat32, kFloat32) || !are(frame->results, 3, kInt32, kInt64) ||
      !are_arrays(its, {kFloat32, kInt32, kInt32, kInt32}) || its.at[3]->number != 1)
    return failed(frame, kInvalidArgument, "eplb-xp: this is no call of a plan");
  Buffer** maps = frame->results.at;
  // Its attributes: floats, integers, strides, threads.
  const Request request{values(*frame->arguments.at[0]), values(*its.at[1]), values(*its.at[0]), values(*its.at[2]),
                        values(*maps[0]),  values(*maps[1]),  values(*maps[2]),
                        lanes,  *static_cast<const int32_t*>(its.at[3]->data)};
  try {
    const char* reason = make(request);
    return reason ? failed(frame, kInvalidArgument, reason) : nullptr;
  } catch (const std::bad_alloc&) {
    return failed(frame, kResourceExhausted, "eplb-xp: there is no memory for a plan");
  }
}

}  // namespace xla
