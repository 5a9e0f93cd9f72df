// What is called from outside, the same for each number of lanes: a request, whose shape has been read, is done for the
// layers that are left.

class Code {
 public:
  template <typename Index>
  static void answer(const PlanRequest& asked, const Shape& shape, Work& work) {
    plan_layers<Pipeline>(Planned<Index>{asked.weight.as<const float>(), maps_of<Index>(asked)}, shape, work);
  }

  template <typename Index>
  static void answer(const PlaceRequest& asked, const Shape& shape, Work& work) {
    const Placed<Index> layers{asked.weight.as<const float>(), asked.phy2log.as<Index>(), asked.rank.as<Index>(),
                               asked.logcnt.as<Index>()};
    plan_layers<Pipeline>(layers, shape, work);
  }

  template <typename Index>
  static void answer(const FollowRequest& asked, const FollowingShape& shape, Work& work) {
    const Followed<Index> layers{asked.previous.as<const Index>(), asked.max_moves.as<const Index>(),
                                 asked.min_gain.as<const float>(), asked.weight.as<const float>(), maps_of<Index>(asked)};
    plan_layers<Follower>(layers, shape, work);
  }

  template <typename Index>
  static void answer(const FollowOrRenewRequest& asked, const FollowingShape& shape, Work& work) {
    const Renewed<Index> layers{asked.previous.as<const Index>(), asked.max_moves.as<const Index>(),
                                asked.min_gain.as<const float>(), asked.fresh.as<const Index>(),
                                asked.weight.as<const float>(),   maps_of<Index>(asked)};
    plan_layers<FollowerOrRenewer>(layers, shape, work);
  }

  template <typename Index>
  static void answer(const RenewRequest& asked, const FollowingShape& shape, Work& work) {
    const Renewed<Index> layers{asked.previous.as<const Index>(), nullptr,
                                asked.min_gain.as<const float>(), asked.fresh.as<const Index>(),
                                asked.weight.as<const float>(),   maps_of<Index>(asked)};
    plan_layers<Renewer>(layers, shape, work);
  }

  template <typename Index>
  static void answer(const FrontierRequest& asked, const FollowingShape& shape, Work& work) {
    const Bought<Index> layers{asked.previous.as<const Index>(), asked.weight.as<const float>(),
                               asked.phy2log.as<Index>(),        asked.logcnt.as<Index>(),
                               asked.busiest.as<float>(),        asked.balancedness.as<float>()};
    plan_layers<Frontier>(layers, shape, work);
  }

  template <typename Index>
  static void answer(const SamplesRequest& asked, const SampledShape& shape, Work& work) {
    plan_layers<ForSamples>(Sampled<Index>{asked.weight.as<const float>(), maps_of<Index>(asked)}, shape, work);
  }

  template <typename Index>
  static void answer(const PrepareRequest& asked, const SharingShape& shape, Work& work) {
    sharing::prepare_layers(asked.phy2log.as<const Index>(), prepared_of<Index>(asked), shape, work);
  }

  template <typename Index>
  static bool answer(const ShareRequest& asked, const SharingShape& shape, Work& work) {
    const Batch<Index> batch{nullptr, prepared_of<const Index>(asked), asked.tolerance.as<const float>(), asked.weight,
                             shares_of<Index>(asked)};
    return sharing::share_layers(batch, shape, work);
  }

  template <typename Index>
  static bool answer(const ShareOfPlanRequest& asked, const SharingShape& shape, Work& work) {
    const Batch<Index> batch{asked.phy2log.as<const Index>(), {}, asked.tolerance.as<const float>(), asked.weight,
                             shares_of<Index>(asked)};
    return sharing::share_layers(batch, shape, work);
  }

  template <typename Index>
  static bool answer(const QuotaRequest& asked, const QuotaShape& shape, Work& work) {
    const QuotaArrays<Index> layers{asked.share.as<const Index>(),   asked.phy2log.as<const Index>(),
                                    asked.log2phy.as<const Index>(), asked.logcnt.as<const Index>(),
                                    asked.counts.as<const Index>(),  asked.rank.as<const Index>(),
                                    asked.quota.as<Index>()};
    return routing::divide_layers(layers, shape, work);
  }

  template <typename Index>
  static bool answer(const RouteRequest& asked, const RouteShape& shape, Work& work) {
    const RouteArrays<Index> layers{asked.quota.as<const Index>(),  asked.log2phy.as<const Index>(),
                                    asked.logcnt.as<const Index>(), asked.first.as<const Index>(),
                                    asked.expert.as<const Index>(), asked.slot.as<Index>()};
    return routing::route_layers(layers, shape, work);
  }

 private:
  template <typename Index, typename Asked>
  static Maps<Index> maps_of(const Asked& asked) {
    return {asked.phy2log.template as<Index>(), asked.log2phy.template as<Index>(), asked.logcnt.template as<Index>()};
  }

  template <typename Integer, typename Asked>
  static PreparedArrays<Integer> prepared_of(const Asked& asked) {
    return {asked.expert.template as<Integer>(),  asked.place.template as<Integer>(),
            asked.first.template as<Integer>(),   asked.holders.template as<Integer>(),
            asked.colour.template as<Integer>(),  asked.start.template as<Integer>(),
            asked.size.template as<Integer>()};
  }

  template <typename Index, typename Asked>
  static SharesArrays<Index> shares_of(const Asked& asked) {
    return {asked.share.template as<Index>(),       asked.gpu_load.template as<Index>(),
            asked.busiest.template as<Index>(),     asked.lower_bound.template as<float>(),
            asked.proof.template as<bool>(),        asked.gap.template as<float>(),
            asked.rounds.template as<Index>()};
  }
};
