// What is the same for all layers of quotas, and of routes, as launching/routes_from_numpy.py describes it, and what each
// layer has.

struct QuotaShape {
  int32_t experts;
  int32_t slots;
  int32_t ranks;
  int32_t nodes;
  int32_t width;  // of log2phy
  int32_t is_of_one;  // whether quotas are those of one rank, else of all
  int32_t index_bytes;  // of an index, 4 or 8

  int32_t wanted() const { return is_of_one ? 1 : ranks; }

  static constexpr int32_t kMostSlots = 1 << 20;
  static constexpr int64_t kMostPairs = 1 << 24;  // of ranks and replicas

  // Whether nothing is read or written beyond its end, whatever the arrays hold.
  bool fits() const {
    return experts > 0 && slots > 0 && slots <= kMostSlots && ranks > 0 && slots % ranks == 0 && nodes > 0 &&
           ranks % nodes == 0 && width >= 0 && int64_t{ranks} * slots <= kMostPairs && (index_bytes == 4 || index_bytes == 8);
  }
};

template <typename Index>
struct QuotaArrays {
  const Index* share;    // [slots]
  const Index* phy2log;  // [slots]
  const Index* log2phy;  // [experts * width]
  const Index* logcnt;   // [experts]
  const Index* counts;   // [ranks * experts]
  const Index* rank;     // of a layer, where quotas are of one
  Index* quota;          // [wanted * experts * width]

  QuotaArrays of_layer(int64_t layer, const QuotaShape& shape) const {
    const int64_t experts = layer * shape.experts;
    return {share + layer * shape.slots,
            phy2log + layer * shape.slots,
            log2phy + experts * shape.width,
            logcnt + experts,
            counts + experts * shape.ranks,
            rank + (shape.is_of_one ? layer : 0),
            quota + experts * shape.wanted() * shape.width};
  }
};

struct RouteShape {
  int32_t experts;
  int32_t width;      // of log2phy
  int32_t tokens;     // choices of a layer
  int32_t has_first;  // whether tokens of each expert were routed before
  int32_t has_quota;  // else replicas take turns
  int32_t index_bytes;

  bool fits() const {
    return experts > 0 && width > 0 && tokens >= 0 && int64_t{experts} * width <= INT32_MAX &&
           (index_bytes == 4 || index_bytes == 8);
  }
};

template <typename Index>
struct RouteArrays {
  const Index* quota;    // [experts * width], if there are some
  const Index* log2phy;  // [experts * width]
  const Index* logcnt;   // [experts]
  const Index* first;    // [experts], if there are some
  const Index* expert;   // [tokens]
  Index* slot;           // [tokens]

  RouteArrays of_layer(int64_t layer, const RouteShape& shape) const {
    const int64_t experts = layer * shape.experts, tokens = layer * shape.tokens;
    return {quota + (shape.has_quota ? experts * shape.width : 0),
            log2phy + experts * shape.width,
            logcnt + experts,
            first + (shape.has_first ? experts : 0),
            expert + tokens,
            slot + tokens};
  }
};
