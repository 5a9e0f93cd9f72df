// Calls of Python for quotas and routes. Their buffers have the sizes of the shape, or nothing is done.

PyObject* quotas(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<7, 1, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const auto& [share, phy2log, log2phy, logcnt, counts, rank, integers, quota] = buffers;
  QuotaShape shape{};
  if (!read_shape(integers, given.integers(), shape)) return refused(kDoNotFit);
  constexpr int64_t kSize = sizeof(int64_t);
  const int64_t layers = logcnt.bytes / kSize / shape.experts, experts = layers * shape.experts;
  const bool fit = share.are(layers * shape.slots, kSize) && phy2log.are(layers * shape.slots, kSize) &&
                   log2phy.are(experts * shape.width, kSize) && logcnt.are(experts, kSize) &&
                   counts.are(experts * shape.ranks, kSize) && rank.are(shape.is_of_one ? layers : 0, kSize) &&
                   quota.are(experts * shape.wanted() * shape.width, kSize);
  if (!fit) return refused(kDoNotFit);
  const QuotaArrays arrays{share.as<const int64_t>(),  phy2log.as<const int64_t>(), log2phy.as<const int64_t>(),
                           logcnt.as<const int64_t>(), counts.as<const int64_t>(),  rank.as<const int64_t>(),
                           quota.as<int64_t>()};
  return with_layers(layers, given.integers(), "native code divides counts and shares below 2^40",
                     [&](auto code, Work& work) { return code.divide(arrays, shape, work); });
}

PyObject* route(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<6, 1, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const auto& [quota, log2phy, logcnt, first, expert, integers, slot] = buffers;
  RouteShape shape{};
  if (!read_shape(integers, given.integers(), shape)) return refused(kDoNotFit);
  constexpr int64_t kSize = sizeof(int64_t);
  const int64_t layers = logcnt.bytes / kSize / shape.experts, experts = layers * shape.experts;
  const bool fit = quota.are(shape.has_quota ? experts * shape.width : 0, kSize) && logcnt.are(experts, kSize) &&
                   log2phy.are(experts * shape.width, kSize) && first.are(shape.has_first ? experts : 0, kSize) &&
                   expert.are(layers * shape.tokens, kSize) && slot.are(layers * shape.tokens, kSize);
  if (!fit) return refused(kDoNotFit);
  const RouteArrays arrays{quota.as<const int64_t>(), log2phy.as<const int64_t>(), logcnt.as<const int64_t>(),
                           first.as<const int64_t>(), expert.as<const int64_t>(),  slot.as<int64_t>()};
  return with_layers(layers, given.integers(), "native code routes by quotas that ascend",
                     [&](auto code, Work& work) { return code.route(arrays, shape, work); });
}
