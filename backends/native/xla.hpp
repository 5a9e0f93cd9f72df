// XLA's calls of what it has not compiled, as far as plans, shares and routes need them. Their layout is XLA's stable binary
// interface, of which the versions 0.1 to 0.3 differ in nothing that is here; so nothing of jaxlib is needed to build this.

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
constexpr int32_t kBool = 1, kInt32 = 4, kInt64 = 5, kFloat32 = 11;
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

// The type of what are no indices.
inline int32_t dtype_of(Kind kind) { return kind == Kind::kInts ? kInt32 : kind == Kind::kTruths ? kBool : kFloat32; }

// Whether buffers are of these kinds, all indices being of one type, which is 0 as long as there was none.
template <size_t kNumber>
bool are(const Buffers& buffers, const Kind (&kinds)[kNumber], int32_t& index) {
  if (buffers.number != static_cast<int64_t>(kNumber)) return false;
  for (size_t i = 0; i < kNumber; ++i) {
    if (buffers.kinds[i] != kIsBuffer) return false;
    const int32_t its = buffers.at[i]->dtype;
    if (kinds[i] != Kind::kIndices && !(kinds[i] == Kind::kLoads && its != kFloat32)) {
      if (its != dtype_of(kinds[i])) return false;
      continue;
    }
    if ((its != kInt32 && its != kInt64) || (index != 0 && its != index)) return false;
    index = its;
  }
  return true;
}

// Whether attributes are arrays of these kinds, and behind them one of a single integer.
template <size_t kNumber>
bool are_arrays(const Attributes& attributes, const Kind (&kinds)[kNumber]) {
  if (attributes.number != static_cast<int64_t>(kNumber) + 1) return false;
  for (size_t i = 0; i <= kNumber; ++i) {
    const int32_t wanted = dtype_of(i < kNumber ? kinds[i] : Kind::kInts);
    if (attributes.kinds[i] != kIsArray || attributes.at[i]->dtype != wanted) return false;
  }
  return attributes.at[kNumber]->number == 1;
}

inline Values values(const Buffer& buffer) {
  int64_t number = 1;
  for (int64_t i = 0; i < buffer.rank; ++i) number *= buffer.dims[i];
  return {buffer.data, number * (buffer.dtype == kInt64 ? 8 : buffer.dtype == kBool ? 1 : 4)};
}

inline Values values(const Array& array) { return {array.data, static_cast<int64_t>(array.number) * 4}; }

// Answer a call: `make` does what is asked for, in so many lanes, or says why not. Its attributes are the request's numbers,
// the names of which are in their order, then the number of threads.
template <typename Request, typename Make>
Error* answer(const Frame* frame, int lanes, Make make) {
  for (Extension* each = frame->extensions; each; each = each->next) {
    if (each->kind == kIsMetadata) {
      describe(frame, reinterpret_cast<MetadataExtension*>(each)->metadata);
      return nullptr;
    }
  }
  if (!is_known(frame) || frame->stage != kExecute) return nullptr;
  constexpr size_t kArguments = std::size(Request::kArguments), kNumbers = std::size(Request::kNumbers);
  constexpr size_t kResults = std::size(Request::kResults);
  int32_t index = 0;
  if (!are(frame->arguments, Request::kArguments, index) || !are(frame->results, Request::kResults, index) ||
      !are_arrays(frame->attributes, Request::kNumbers))
    return failed(frame, kInvalidArgument, "eplb-xp: this is no call of a plan");
  Values given[kArguments + kNumbers + kResults];
  for (size_t i = 0; i < kArguments; ++i) given[i] = values(*frame->arguments.at[i]);
  for (size_t i = 0; i < kNumbers; ++i) given[kArguments + i] = values(*frame->attributes.at[i]);
  for (size_t i = 0; i < kResults; ++i) given[kArguments + kNumbers + i] = values(*frame->results.at[i]);
  const int threads = *static_cast<const int32_t*>(frame->attributes.at[kNumbers]->data);
  try {
    const Outcome outcome = make(request<Request>(given, lanes, threads));
    return outcome.reason ? failed(frame, kInvalidArgument, outcome.reason) : nullptr;
  } catch (const std::bad_alloc&) {
    return failed(frame, kResourceExhausted, "eplb-xp: there is no memory for a plan");
  }
}

}  // namespace xla
