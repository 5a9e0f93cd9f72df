// Calls of Python for shares. Their buffers have the sizes of the shape, or nothing is done.

constexpr char kNotPrepared[] =
    "native code shares by plans of all experts, what prepare_shares made of one, and tolerances from 0 to 1";

// Seven buffers for `Prepared`; whether they are of so many layers.
template <typename Integer>
bool take_prepared(const Values* given, const SharingShape& shape, int64_t layers, PreparedArrays<Integer>& taken) {
  const int64_t experts = shape.experts;
  const std::tuple<Integer*&, int64_t> arrays[] = {
      {taken.expert, shape.slots}, {taken.place, shape.linked()}, {taken.first, experts}, {taken.holders, experts},
      {taken.colour, experts},     {taken.start, experts},        {taken.size, 1}};
  for (const auto& [array, number] : arrays) {
    if (!given->are(layers * number, sizeof(Integer))) return false;
    array = given++->as<Integer>();
  }
  return true;
}

// Seven buffers for `Shares`, and tolerances and loads.
bool take_batch(const Values* given, const Values& tolerance, const Values& weight, const SharingShape& shape,
                Batch& batch) {
  const int64_t layers = tolerance.bytes / int64_t{sizeof(float)}, gpus = layers * shape.gpus;
  batch.tolerance = tolerance.as<const float>();
  batch.weight = weight;
  batch.found = {given[0].as<int64_t>(), given[1].as<int64_t>(), given[2].as<int64_t>(), given[3].as<float>(),
                 given[4].as<bool>(),    given[5].as<float>(),   given[6].as<int64_t>()};
  return given[0].are(layers * shape.slots, sizeof(int64_t)) && given[1].are(gpus, sizeof(int64_t)) &&
         given[2].are(layers, sizeof(int64_t)) && given[3].are(layers, sizeof(float)) &&
         given[4].are(gpus, sizeof(bool)) && given[5].are(layers, sizeof(float)) &&
         given[6].are(layers, sizeof(int64_t)) && tolerance.are(layers, sizeof(float)) &&
         weight.are(layers * shape.experts, shape.are_integers ? sizeof(int64_t) : sizeof(float));
}

// Share all layers, or say why the once-written code must.
PyObject* share_batch(const Batch& batch, const SharingShape& shape, int64_t layers, const std::array<int, 2>& how) {
  return with_layers(layers, how, kNotPrepared, [&](auto code, Work& work) { return code.share(batch, shape, work); });
}

PyObject* share(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<10, 7, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const Values &tolerance = buffers[7], &weight = buffers[8], &integers = buffers[9];
  const int64_t layers = tolerance.bytes / int64_t{sizeof(float)};
  SharingShape shape{};
  Batch batch{};
  if (!read_shape(integers, given.integers(), shape) || !take_prepared(&buffers[0], shape, layers, batch.prepared) ||
      !take_batch(&buffers[10], tolerance, weight, shape, batch))
    return refused(kDoNotFit);
  return share_batch(batch, shape, layers, given.integers());
}

PyObject* share_of_plan(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<4, 7, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const Values &phy2log = buffers[0], &tolerance = buffers[1], &weight = buffers[2], &integers = buffers[3];
  const int64_t layers = tolerance.bytes / int64_t{sizeof(float)};
  SharingShape shape{};
  Batch batch{};
  batch.phy2log = phy2log.as<const int64_t>();
  if (!read_shape(integers, given.integers(), shape) || !phy2log.are(layers * shape.slots, sizeof(int64_t)) ||
      !take_batch(&buffers[4], tolerance, weight, shape, batch))
    return refused(kDoNotFit);
  return share_batch(batch, shape, layers, given.integers());
}

PyObject* prepare_shares(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<2, 7, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const Values &phy2log = buffers[0], &integers = buffers[1], &size = buffers[8];
  const int64_t layers = size.bytes / int64_t{sizeof(int64_t)};
  SharingShape shape{};
  PreparedArrays<int64_t> found{};
  if (!read_shape(integers, given.integers(), shape) || !phy2log.are(layers * shape.slots, sizeof(int64_t)) ||
      !take_prepared(&buffers[2], shape, layers, found))
    return refused(kDoNotFit);
  return with_layers(layers, given.integers(), "", [&](auto code, Work& work) {
    code.prepare(phy2log.as<const int64_t>(), found, shape, work);
    return true;
  });
}
