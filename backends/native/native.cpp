// Plans in native code: the row code for each number of lanes, and the extension module that chooses one.

#include <Python.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "following/shape.hpp"
#include "memory.hpp"
#include "shape.hpp"
#include "request.hpp"
#include "given.hpp"
#include "sharing/shape.hpp"
#include "routing/shape.hpp"
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

// Do this with the code of so many lanes.
template <typename Do>
void in_lanes(int lanes, Do work) {
#ifdef EPLB_XP_HAS_EIGHT
  if (lanes == 8) {
    work(eight::Code{});
    return;
  }
#endif
  work(four::Code{});
}

template <typename Index>
void plan_with(const Request& asked, const Shape& shape) {
  Work(asked.layers(shape)).divide(asked.threads, [&](Work& work) {
    in_lanes(asked.lanes, [&](auto code) {
      code.plan(asked.weight.as<const float>(), shape, asked.phy2log.as<Index>(), asked.log2phy.as<Index>(),
                asked.logcnt.as<Index>(), work);
    });
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

#include "calls/layers.hpp"

PyObject* plan(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<4, 3, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto [weight, integers, floats, strides, phy2log, log2phy, logcnt] = given.buffers();
  const auto [lanes, threads] = given.integers();
  const Request asked{weight, integers, floats, strides, phy2log, log2phy, logcnt, lanes, threads};
  return without_lock([&] { return make(asked); });
}

xla::Error* plan_in_xla(xla::Frame* frame) { return xla::answer(frame, kMostLanes, make); }

PyObject* xla_handler(PyObject*, PyObject*) {
  return PyCapsule_New(reinterpret_cast<void*>(plan_in_xla), nullptr, nullptr);
}

PyObject* follow(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  Given<7, 3, 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto buffers = given.buffers();
  const auto& [previous, max_moves, min_gain, weight, integers, one, other, phy2log, log2phy, logcnt] = buffers;
  const int lanes = given.integers()[0], threads = given.integers()[1];
  FollowingShape shape{};
  constexpr size_t kShapeBytes = offsetof(FollowingShape, paths) + sizeof(int32_t);
  if (!integers.are(1, kShapeBytes)) return refused("the shape has other numbers");
  std::memcpy(static_cast<void*>(&shape), integers.data, kShapeBytes);
  shape.one = one.as<const float>();
  shape.other = other.as<const float>();
  const int64_t layers = max_moves.bytes / int64_t{sizeof(int64_t)};
  const int64_t experts = layers * shape.experts, slots = layers * shape.slots;
  const bool fit = shape.fits() && one.are(shape.paths, sizeof(float)) && other.are(shape.paths, sizeof(float)) &&
                   previous.are(slots, sizeof(int64_t)) && max_moves.are(layers, sizeof(int64_t)) &&
                   min_gain.are(layers, sizeof(float)) && weight.are(experts * shape.samples, sizeof(float)) &&
                   phy2log.are(slots, sizeof(int64_t)) && log2phy.are(experts * shape.width, sizeof(int64_t)) &&
                   logcnt.are(experts, sizeof(int64_t));
  if (!fit || !are_there(lanes, threads)) return refused(kDoNotFit);
  return without_lock([&]() -> const char* {
    Work(layers).divide(threads, [&](Work& work) {
      in_lanes(lanes, [&](auto code) { code.follow(buffers, shape, work); });
    });
    return nullptr;
  });
}

#include "calls/sharing.hpp"
#include "calls/routing.hpp"

// As Python's table of methods has them.
PyCFunction called(PyObject* (*call)(PyObject*, PyObject* const*, Py_ssize_t)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call));
}

PyMethodDef methods[] = {
    {"plan", called(plan), METH_FASTCALL,
     "plan(weight, integers, floats, strides, phy2log, log2phy, logcnt, lanes, threads)\n--\n\nWrite the maps of a plan."},
    {"xla_handler", xla_handler, METH_NOARGS, "xla_handler()\n--\n\nWhat XLA calls for a plan, as a capsule."},
    {"follow", called(follow), METH_FASTCALL,
     "follow(previous, max_moves, min_gain, weight, integers, one, other, phy2log, log2phy, logcnt, lanes, threads)\n"
     "--\n\nWrite the maps of a plan that follows another."},
    {"share", called(share), METH_FASTCALL,
     "share(expert, place, first, holders, colour, start, size, tolerance, weight, integers,\n"
     "      share, gpu_load, busiest, lower_bound, proof, gap, rounds, lanes, threads)\n"
     "--\n\nWrite shares of a plan for which it is prepared, or say why not."},
    {"share_of_plan", called(share_of_plan), METH_FASTCALL,
     "share_of_plan(phy2log, tolerance, weight, integers,\n"
     "              share, gpu_load, busiest, lower_bound, proof, gap, rounds, lanes, threads)\n"
     "--\n\nWrite shares of a plan, or say why not."},
    {"prepare_shares", called(prepare_shares), METH_FASTCALL,
     "prepare_shares(phy2log, integers, expert, place, first, holders, colour, start, size, lanes, threads)\n"
     "--\n\nWrite what shares need to know of a plan."},
    {"quotas", called(quotas), METH_FASTCALL,
     "quotas(share, phy2log, log2phy, logcnt, counts, rank, integers, quota, lanes, threads)\n"
     "--\n\nWrite quotas of all ranks, or of one where there is a rank for each layer, or say why not."},
    {"route", called(route), METH_FASTCALL,
     "route(quota, log2phy, logcnt, first, experts, integers, slots, lanes, threads)\n"
     "--\n\nWrite the slots of tokens, or say why not."},
    {nullptr, nullptr, 0, nullptr},
};

int start(PyObject* module) { return PyModule_AddIntConstant(module, "MOST_LANES", kMostLanes); }

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(start)}, {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", "Plans in native code.", 0, methods, slots,
                          nullptr,               nullptr,   nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__native() { return PyModuleDef_Init(&definition); }
