// What is called from outside, the same for each number of lanes.

struct Code {
  template <typename Index>
  static void plan(const float* weight, const Shape& shape, Index* phy2log, Index* log2phy, Index* logcnt, Work& work) {
    plan_layers(weight, shape, Maps<Index>{phy2log, log2phy, logcnt}, work);
  }

  // Of the buffers of a call.
  static void follow(const std::array<Values, 10>& given, const FollowingShape& shape, Work& work) {
    const auto& [previous, max_moves, min_gain, weight, integers, one, other, phy2log, log2phy, logcnt] = given;
    follow_layers(Followed<int64_t>{previous.as<const int64_t>(),
                                    max_moves.as<const int64_t>(),
                                    min_gain.as<const float>(),
                                    weight.as<const float>(),
                                    {phy2log.as<int64_t>(), log2phy.as<int64_t>(), logcnt.as<int64_t>()}},
                  shape, work);
  }

  static void prepare(const int64_t* phy2log, const PreparedArrays<int64_t>& found, const SharingShape& shape,
                      Work& work) {
    sharing::prepare_layers(phy2log, found, shape, work);
  }

  static bool share(const Batch& batch, const SharingShape& shape, Work& work) {
    return sharing::share_layers(batch, shape, work);
  }

  static bool divide(const QuotaArrays& layers, const QuotaShape& shape, Work& work) {
    return routing::divide_layers(layers, shape, work);
  }

  static bool route(const RouteArrays& layers, const RouteShape& shape, Work& work) {
    return routing::route_layers(layers, shape, work);
  }
};
