// A call of Python that works layer by layer.

constexpr char kDoNotFit[] = "the arrays do not fit the shape, or there are no such lanes or threads";

bool are_there(int lanes, int threads) { return (lanes == 4 || lanes == kMostLanes) && threads > 0; }

PyObject* refused(const char* reason) {
  PyErr_SetString(PyExc_ValueError, reason);
  return nullptr;
}

// Do this with all layers, without Python's lock: None, or why the once-written code must, where it says no for any.
template <typename Do>
PyObject* with_layers(int64_t layers, const std::array<int, 2>& lanes_and_threads, const char* reason, Do with) {
  const auto [lanes, threads] = lanes_and_threads;
  std::atomic<bool> are_done{true};
  PyObject* done = without_lock([&, its_lanes = lanes, its_threads = threads]() -> const char* {
    Work(layers).divide(its_threads, [&](Work& work) {
      in_lanes(its_lanes, [&](auto code) {
        if (!with(code, work)) are_done = false;
      });
    });
    return nullptr;
  });
  if (!done || are_done) return done;
  Py_DECREF(done);
  return PyUnicode_FromString(reason);
}

// The numbers of a shape; whether there is such a one, and such lanes and threads.
template <typename Shape>
bool read_shape(const Values& integers, const std::array<int, 2>& lanes_and_threads, Shape& shape) {
  const auto [lanes, threads] = lanes_and_threads;
  if (!integers.are(1, sizeof shape) || !are_there(lanes, threads)) return false;
  std::memcpy(static_cast<void*>(&shape), integers.data, sizeof shape);
  return shape.fits();
}
