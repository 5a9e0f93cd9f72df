// Quotas and routes as they are asked for: values of which none is trusted.

struct QuotaRequest {
  using Sizes = QuotaShape;
  static constexpr const char* kRefusal = "native code divides counts and shares below 2^40";
  static constexpr Kind kArguments[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices,
                                        Kind::kIndices, Kind::kIndices, Kind::kIndices};
  static constexpr Kind kNumbers[] = {Kind::kInts};
  static constexpr Kind kResults[] = {Kind::kIndices};

  Values share, phy2log, log2phy, logcnt, counts, rank, integers, quota;
  int lanes, threads;

  const char* read(QuotaShape& shape, int most_lanes) const { return read_sizes(*this, shape, most_lanes); }
  int64_t layers(const QuotaShape& shape) const { return logcnt.bytes / shape.index_bytes / shape.experts; }
  int64_t index_size(const QuotaShape& shape) const { return shape.index_bytes; }

  bool fits(const QuotaShape& shape) const {
    const int64_t size = shape.index_bytes, number = layers(shape), experts = number * shape.experts;
    return share.are(number * shape.slots, size) && phy2log.are(number * shape.slots, size) &&
           log2phy.are(experts * shape.width, size) && logcnt.are(experts, size) &&
           counts.are(experts * shape.ranks, size) && rank.are(shape.is_of_one ? number : 0, size) &&
           quota.are(experts * shape.wanted() * shape.width, size);
  }
};

struct RouteRequest {
  using Sizes = RouteShape;
  static constexpr const char* kRefusal = "native code routes by quotas that ascend";
  static constexpr Kind kArguments[] = {Kind::kIndices, Kind::kIndices, Kind::kIndices, Kind::kIndices, Kind::kIndices};
  static constexpr Kind kNumbers[] = {Kind::kInts};
  static constexpr Kind kResults[] = {Kind::kIndices};

  Values quota, log2phy, logcnt, first, expert, integers, slot;
  int lanes, threads;

  const char* read(RouteShape& shape, int most_lanes) const { return read_sizes(*this, shape, most_lanes); }
  int64_t layers(const RouteShape& shape) const { return logcnt.bytes / shape.index_bytes / shape.experts; }
  int64_t index_size(const RouteShape& shape) const { return shape.index_bytes; }

  bool fits(const RouteShape& shape) const {
    const int64_t size = shape.index_bytes, number = layers(shape), experts = number * shape.experts;
    return quota.are(shape.has_quota ? experts * shape.width : 0, size) && logcnt.are(experts, size) &&
           log2phy.are(experts * shape.width, size) && first.are(shape.has_first ? experts : 0, size) &&
           expert.are(number * shape.tokens, size) && slot.are(number * shape.tokens, size);
  }
};
