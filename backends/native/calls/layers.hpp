// A call of Python that works layer by layer.

bool are_there(int lanes, int threads) { return (lanes == 4 || lanes == kMostLanes) && threads > 0; }

PyObject* refused(const char* reason) {
  PyErr_SetString(PyExc_ValueError, reason);
  return nullptr;
}

// Do this with all layers, without Python's lock: None, or why the once-written code must, where it says no for any.
template <typename Do>
PyObject* with_layers(int64_t layers, const std::array<int, 2>& lanes_and_threads, const char* reason, Do with) {
  const auto [lanes, threads] = lanes_and_threads;
  return without_lock([&, its_lanes = lanes, its_threads = threads]() -> Outcome {
    std::atomic<bool> are_done{true};
    Work(layers).divide(its_threads, [&](Work& work) {
      in_lanes(its_lanes, [&](auto code) {
        if (!with(code, work)) are_done = false;
      });
    });
    return {are_done ? nullptr : reason, true};
  });
}

// The numbers of a shape; whether there is such a one, and such lanes and threads.
template <typename Shape>
bool read_shape(const Values& integers, const std::array<int, 2>& lanes_and_threads, Shape& shape) {
  const auto [lanes, threads] = lanes_and_threads;
  if (!integers.are(1, sizeof shape) || !are_there(lanes, threads)) return false;
  std::memcpy(static_cast<void*>(&shape), integers.data, sizeof shape);
  return shape.fits();
}
