// algorithms/routing/route.py: from the expert of a token to a slot.

template <typename Index>
class Router {
 public:
  Router(const RouteShape& shape, Memory& memory)
      : shape_(shape),
        number_(memory.take<Number>(shape.experts)),
        replica_(memory.take<int32_t>(shape.experts)) {}

  // Whether each expert's quotas ascend.
  bool route(const RouteArrays<Index>& layer) {
    for (int e = 0; e < shape_.experts; ++e) {
      number_[e] = shape_.has_first ? static_cast<Number>(layer.first[e]) : 0;
      replica_[e] = -1;
    }
    bool ascend = true;
    for (int i = 0; i < shape_.tokens; ++i) {
      const int64_t e = layer.expert[i];
      if (e < 0 || e >= shape_.experts) {
        layer.slot[i] = -1;
        continue;
      }
      if (shape_.has_quota && replica_[e] < 0) {
        ascend &= quotas_ascend(layer, e);
        replica_[e] = 0;
      }
      const int64_t place = e * shape_.width + (shape_.has_quota ? by_quota(layer, e) : in_turn(layer, e));
      ++number_[e];
      layer.slot[i] = place < int64_t{shape_.experts} * shape_.width ? layer.log2phy[place] : Index{-1};
    }
    return ascend;
  }

 private:
  using Number = std::make_unsigned_t<Index>;  // goes round as the once-written code's sums do

  // The replica whose turn it is.
  int64_t in_turn(const RouteArrays<Index>& layer, int64_t e) const {
    const int64_t replicas = std::clamp<int64_t>(layer.logcnt[e], 1, std::max(shape_.width, 1));
    const int64_t rest = static_cast<Index>(number_[e]) % replicas;
    return rest < 0 ? rest + replicas : rest;
  }

  // The first replica whose quota is not used up, the last one in any case.
  int64_t by_quota(const RouteArrays<Index>& layer, int64_t e) {
    const auto routed = static_cast<Index>(number_[e] - before(layer, e));
    int32_t& replica = replica_[e];
    while (replica < shape_.width && replica < layer.logcnt[e] - 1 && quota(layer, e, replica) <= routed) ++replica;
    return replica;
  }

  // Of the tokens that are routed now.
  Index quota(const RouteArrays<Index>& layer, int64_t e, int32_t replica) const {
    const auto all = static_cast<Number>(layer.quota[e * shape_.width + replica]);
    return std::max<Index>(static_cast<Index>(all - before(layer, e)), 0);
  }

  Number before(const RouteArrays<Index>& layer, int64_t e) const {
    return shape_.has_first ? static_cast<Number>(layer.first[e]) : 0;
  }

  bool quotas_ascend(const RouteArrays<Index>& layer, int64_t e) const {
    for (int32_t k = 1; k < shape_.width && k < layer.logcnt[e] - 1; ++k)
      if (quota(layer, e, k) < quota(layer, e, k - 1)) return false;
    return true;
  }

  const RouteShape& shape_;
  Number* number_;    // [experts] tokens so far
  int32_t* replica_;  // [experts] whose turn it is by quotas
};

// The layers that are left, one after the other; whether all could be routed.
template <typename Index>
inline bool route_layers(const RouteArrays<Index>& layers, const RouteShape& shape, Work& work) {
  bool are_routed = true;
  with_scratch<Router<Index>>(shape, [&](Router<Index>& router) {
    for (int64_t layer; (layer = work.next()) >= 0;) are_routed &= router.route(layers.of_layer(layer, shape));
  });
  return are_routed;
}
