// Plans in native code: the row code for each number of lanes, and the extension module that chooses one.

#include <Python.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "following/shape.hpp"
#include "memory.hpp"
#include "shape.hpp"
#include "request.hpp"
#include "threads.hpp"
#include "xla.hpp"

// All headers of the library come before: none of it is compiled for processors that not everyone has.
namespace four {
#define EPLB_XP_LANES 4
#include "each.hpp"
#undef EPLB_XP_LANES
}  // namespace four

#if defined(__x86_64__) && defined(__GNUC__)
#define EPLB_XP_HAS_EIGHT 1
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
namespace eight {
#define EPLB_XP_LANES 8
#include "each.hpp"
#undef EPLB_XP_LANES
}  // namespace eight
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

namespace {

int most_lanes() {
#ifdef EPLB_XP_HAS_EIGHT
  __builtin_cpu_init();  // this may be before all else that is
  if (__builtin_cpu_supports("avx2")) return 8;
#endif
  return 4;
}

const int kMostLanes = most_lanes();

template <typename Index>
void plan_with(const Request& asked, const Shape& shape) {
  const auto* weight = static_cast<const float*>(asked.weight.data);
  auto* phy2log = static_cast<Index*>(asked.phy2log.data);
  auto* log2phy = static_cast<Index*>(asked.log2phy.data);
  auto* logcnt = static_cast<Index*>(asked.logcnt.data);
  Work(asked.layers(shape)).divide(asked.threads, [&](Work& work) {
#ifdef EPLB_XP_HAS_EIGHT
    if (asked.lanes == 8) {
      eight::plan_layers(weight, shape, eight::Maps<Index>{phy2log, log2phy, logcnt}, work);
      return;
    }
#endif
    four::plan_layers(weight, shape, four::Maps<Index>{phy2log, log2phy, logcnt}, work);
  });
}

// Make the plan, or say why not.
const char* make(const Request& asked) {
  Shape shape{};
  const char* reason = asked.read(shape, kMostLanes);
  if (reason) return reason;
  if (asked.index_size(shape) == 8) {
    plan_with<int64_t>(asked, shape);
  } else {
    plan_with<int32_t>(asked, shape);
  }
  return nullptr;
}

// Buffers of Python, given back at the end.
struct Buffers {
  Py_buffer weight{}, integers{}, floats{}, strides{}, phy2log{}, log2phy{}, logcnt{};

  ~Buffers() {
    for (Py_buffer* each : {&weight, &integers, &floats, &strides, &phy2log, &log2phy, &logcnt})
      if (each->obj) PyBuffer_Release(each);
  }
};

Values values(const Py_buffer& buffer) { return {buffer.buf, buffer.len}; }

// Do this while others have Python's lock; it returns a reason where it could not.
template <typename Do>
PyObject* without_lock(Do work) {
  const char* reason = nullptr;
  bool has_memory = true;
  Py_BEGIN_ALLOW_THREADS
  try {
    reason = work();
  } catch (const std::bad_alloc&) {
    has_memory = false;
  }
  Py_END_ALLOW_THREADS
  if (!has_memory) return PyErr_NoMemory();
  if (reason) {
    PyErr_SetString(PyExc_ValueError, reason);
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* plan(PyObject*, PyObject* arguments) {
  Buffers given;
  int lanes = 0, threads = 0;
  if (!PyArg_ParseTuple(arguments, "y*y*y*y*w*w*w*ii", &given.weight, &given.integers, &given.floats, &given.strides,
                        &given.phy2log, &given.log2phy, &given.logcnt, &lanes, &threads))
    return nullptr;
  const Request asked{values(given.weight),  values(given.integers), values(given.floats),
                      values(given.strides), values(given.phy2log),  values(given.log2phy),
                      values(given.logcnt),  lanes,                  threads};
  return without_lock([&] { return make(asked); });
}

xla::Error* plan_in_xla(xla::Frame* frame) { return xla::answer(frame, kMostLanes, make); }

PyObject* xla_handler(PyObject*, PyObject*) {
  return PyCapsule_New(reinterpret_cast<void*>(plan_in_xla), nullptr, nullptr);
}

bool are(const Py_buffer& buffer, int64_t number, int64_t size) { return values(buffer).are(number, size); }

// Buffers of Python for a plan that follows another, given back at the end.
struct FollowingBuffers {
  Py_buffer previous{}, max_moves{}, min_gain{}, weight{}, integers{}, one{}, other{}, phy2log{}, log2phy{}, logcnt{};

  ~FollowingBuffers() {
    for (Py_buffer* each : {&previous, &max_moves, &min_gain, &weight, &integers, &one, &other, &phy2log, &log2phy, &logcnt})
      if (each->obj) PyBuffer_Release(each);
  }
};

// Whether the buffers have the sizes of the shape.
bool fit(const FollowingBuffers& given, const FollowingShape& shape, int64_t layers) {
  const int64_t number = layers * shape.experts, slots = layers * shape.slots;
  return are(given.one, shape.paths, sizeof(float)) && are(given.other, shape.paths, sizeof(float)) &&
         are(given.previous, slots, sizeof(int64_t)) && are(given.max_moves, layers, sizeof(int64_t)) &&
         are(given.min_gain, layers, sizeof(float)) && are(given.weight, number * shape.samples, sizeof(float)) &&
         are(given.phy2log, slots, sizeof(int64_t)) && are(given.log2phy, number * shape.width, sizeof(int64_t)) &&
         are(given.logcnt, number, sizeof(int64_t));
}

template <typename Layers, typename Do>
void follow_with(const FollowingBuffers& given, Do follow, Work& work) {
  auto* phy2log = static_cast<int64_t*>(given.phy2log.buf);
  auto* log2phy = static_cast<int64_t*>(given.log2phy.buf);
  auto* logcnt = static_cast<int64_t*>(given.logcnt.buf);
  follow(Layers{static_cast<const int64_t*>(given.previous.buf), static_cast<const int64_t*>(given.max_moves.buf),
                static_cast<const float*>(given.min_gain.buf), static_cast<const float*>(given.weight.buf),
                {phy2log, log2phy, logcnt}},
         work);
}

PyObject* follow(PyObject*, PyObject* arguments) {
  FollowingBuffers given;
  int lanes = 0, threads = 0;
  if (!PyArg_ParseTuple(arguments, "y*y*y*y*y*y*y*w*w*w*ii", &given.previous, &given.max_moves, &given.min_gain,
                        &given.weight, &given.integers, &given.one, &given.other, &given.phy2log, &given.log2phy,
                        &given.logcnt, &lanes, &threads))
    return nullptr;
  FollowingShape shape{};
  constexpr size_t kShapeBytes = offsetof(FollowingShape, paths) + sizeof(int32_t);
  if (!are(given.integers, 1, kShapeBytes)) {
    PyErr_SetString(PyExc_ValueError, "the shape has other numbers");
    return nullptr;
  }
  std::memcpy(static_cast<void*>(&shape), given.integers.buf, kShapeBytes);
  shape.one = static_cast<const float*>(given.one.buf);
  shape.other = static_cast<const float*>(given.other.buf);
  const int64_t layers = given.max_moves.len / int64_t{sizeof(int64_t)};
  if (!shape.fits() || !fit(given, shape, layers) || (lanes != 4 && lanes != kMostLanes) || threads < 1) {
    PyErr_SetString(PyExc_ValueError, "the arrays do not fit the shape, or there are no such lanes or threads");
    return nullptr;
  }
  return without_lock([&]() -> const char* {
    Work(layers).divide(threads, [&](Work& work) {
#ifdef EPLB_XP_HAS_EIGHT
      if (lanes == 8) {
        follow_with<eight::Followed<int64_t>>(
            given, [&](const auto& all, Work& its) { eight::follow_layers(all, shape, its); }, work);
        return;
      }
#endif
      follow_with<four::Followed<int64_t>>(
          given, [&](const auto& all, Work& its) { four::follow_layers(all, shape, its); }, work);
    });
    return nullptr;
  });
}

PyMethodDef methods[] = {
    {"plan", plan, METH_VARARGS,
     "plan(weight, integers, floats, strides, phy2log, log2phy, logcnt, lanes, threads)\n--\n\nWrite the maps of a plan."},
    {"xla_handler", xla_handler, METH_NOARGS, "xla_handler()\n--\n\nWhat XLA calls for a plan, as a capsule."},
    {"follow", follow, METH_VARARGS,
     "follow(previous, max_moves, min_gain, weight, integers, one, other, phy2log, log2phy, logcnt, lanes, threads)\n"
     "--\n\nWrite the maps of a plan that follows another."},
    {nullptr, nullptr, 0, nullptr},
};

int start(PyObject* module) { return PyModule_AddIntConstant(module, "MOST_LANES", kMostLanes); }

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(start)}, {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", "Plans in native code.", 0, methods, slots,
                          nullptr,               nullptr,   nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__native() { return PyModuleDef_Init(&definition); }
