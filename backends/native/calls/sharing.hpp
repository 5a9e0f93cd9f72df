// Calls of Python for shares. Their buffers have the sizes of the shape, or nothing is done.

constexpr char kNotPrepared[] =
    "native code shares by plans of all experts, what prepare_shares made of one, and tolerances from 0 to 1";

// Whether there is such a shape.
bool read_shape(const Values& integers, SharingShape& shape) {
  if (!integers.are(1, sizeof shape)) return false;
  std::memcpy(static_cast<void*>(&shape), integers.data, sizeof shape);
  return shape.fits();
}

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
PyObject* share_batch(const Batch& batch, const SharingShape& shape, int64_t layers, int lanes, int threads) {
  std::atomic<bool> are_shared{true};
  PyObject* done = without_lock([&]() -> const char* {
    Work(layers).divide(threads, [&](Work& work) {
      in_lanes(lanes, [&](auto code) {
        if (!code.share(batch, shape, work)) are_shared = false;
      });
    });
    return nullptr;
  });
  if (!done || are_shared) return done;
  Py_DECREF(done);
  return PyUnicode_FromString(kNotPrepared);
}

PyObject* share(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<10, 7, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const auto [lanes, threads] = given.integers();
  const Values &tolerance = buffers[7], &weight = buffers[8];
  const int64_t layers = tolerance.bytes / int64_t{sizeof(float)};
  SharingShape shape{};
  Batch batch{};
  if (!read_shape(buffers[9], shape) || !take_prepared(&buffers[0], shape, layers, batch.prepared) ||
      !take_batch(&buffers[10], tolerance, weight, shape, batch) || !are_there(lanes, threads))
    return refused(kDoNotFit);
  return share_batch(batch, shape, layers, lanes, threads);
}

PyObject* share_of_plan(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<4, 7, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const auto [lanes, threads] = given.integers();
  const Values &phy2log = buffers[0], &tolerance = buffers[1], &weight = buffers[2];
  const int64_t layers = tolerance.bytes / int64_t{sizeof(float)};
  SharingShape shape{};
  Batch batch{};
  batch.phy2log = phy2log.as<const int64_t>();
  if (!read_shape(buffers[3], shape) || !phy2log.are(layers * shape.slots, sizeof(int64_t)) ||
      !take_batch(&buffers[4], tolerance, weight, shape, batch) || !are_there(lanes, threads))
    return refused(kDoNotFit);
  return share_batch(batch, shape, layers, lanes, threads);
}

PyObject* prepare_shares(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<2, 7, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const int lanes = given.integers()[0], threads = given.integers()[1];
  const int64_t layers = buffers[8].bytes / int64_t{sizeof(int64_t)};
  const auto* phy2log = buffers[0].as<const int64_t>();
  SharingShape shape{};
  PreparedArrays<int64_t> found{};
  if (!read_shape(buffers[1], shape) || !buffers[0].are(layers * shape.slots, sizeof(int64_t)) ||
      !take_prepared(&buffers[2], shape, layers, found) || !are_there(lanes, threads))
    return refused(kDoNotFit);
  return without_lock([&]() -> const char* {
    Work(layers).divide(threads, [&](Work& work) {
      in_lanes(lanes, [&](auto code) { code.prepare(phy2log, found, shape, work); });
    });
    return nullptr;
  });
}
