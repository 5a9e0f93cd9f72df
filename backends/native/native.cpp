// Plans in native code: the row code for each number of lanes, and the extension module that chooses one.

#include <Python.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
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
#include "following/request.hpp"
#include "following/samples_request.hpp"
#include "sharing/shape.hpp"
#include "sharing/request.hpp"
#include "routing/shape.hpp"
#include "routing/request.hpp"
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

// Answer for the layers that are left; whether none was refused.
template <typename Index, typename Code, typename Request>
bool are_answered(Code code, const Request& asked, const typename Request::Sizes& shape, Work& work) {
  if constexpr (requires { Request::kRefusal; }) {
    return code.template answer<Index>(asked, shape, work);
  } else {
    code.template answer<Index>(asked, shape, work);
    return true;
  }
}

template <typename Request>
constexpr const char* refusal_of() {
  if constexpr (requires { Request::kRefusal; }) return Request::kRefusal;
  return nullptr;
}

// Do what is asked for, or say why not.
template <typename Request>
Outcome make(const Request& asked) {
  typename Request::Sizes shape{};
  const char* reason = asked.read(shape, kMostLanes);
  if (reason) return {reason, false};
  const bool is_long = asked.index_size(shape) == 8;
  std::atomic<bool> are_done{true};
  Work(asked.layers(shape)).divide(asked.threads, [&](Work& work) {
    in_lanes(asked.lanes, [&](auto code) {
      if (!(is_long ? are_answered<int64_t>(code, asked, shape, work) : are_answered<int32_t>(code, asked, shape, work)))
        are_done = false;
    });
  });
  return {are_done ? nullptr : refusal_of<Request>(), true};
}

// Do this while others have Python's lock: None, a string that says why it is refused, or an error.
template <typename Do>
PyObject* without_lock(Do work) {
  Outcome outcome{};
  bool has_memory = true;
  Py_BEGIN_ALLOW_THREADS
  try {
    outcome = work();
  } catch (const std::bad_alloc&) {
    has_memory = false;
  }
  Py_END_ALLOW_THREADS
  if (!has_memory) return PyErr_NoMemory();
  if (!outcome.reason) Py_RETURN_NONE;
  if (outcome.is_refusal) return PyUnicode_FromString(outcome.reason);
  PyErr_SetString(PyExc_ValueError, outcome.reason);
  return nullptr;
}

// What Python asks for: a buffer for each of the request's values, then lanes and threads.
template <typename Request>
PyObject* answer(PyObject*, PyObject* const* arguments, Py_ssize_t number) {
  constexpr int kRead = std::size(Request::kArguments) + std::size(Request::kNumbers);
  Given<kRead, std::size(Request::kResults), 2> given;
  if (!given.take(arguments, number)) return nullptr;
  const auto values = given.buffers();
  const auto [lanes, threads] = given.integers();
  const auto asked = request<Request>(values.data(), lanes, threads);
  return without_lock([&] { return make(asked); });
}

// What XLA asks for.
template <typename Request>
xla::Error* answer_xla(xla::Frame* frame) {
  return xla::answer<Request>(frame, kMostLanes, make<Request>);
}

bool add(PyObject* handlers, const char* name, xla::Error* (*handler)(xla::Frame*)) {
  PyObject* capsule = PyCapsule_New(reinterpret_cast<void*>(handler), nullptr, nullptr);
  const bool is_there = capsule && PyDict_SetItemString(handlers, name, capsule) == 0;
  Py_XDECREF(capsule);
  return is_there;
}

PyObject* xla_handlers(PyObject*, PyObject*) {
  PyObject* handlers = PyDict_New();
  const bool are_there = handlers && add(handlers, "plan", answer_xla<PlanRequest>) &&
                         add(handlers, "plan_for_samples", answer_xla<SamplesRequest>) &&
                         add(handlers, "follow", answer_xla<FollowRequest>) &&
                         add(handlers, "follow_or_renew", answer_xla<FollowOrRenewRequest>) &&
                         add(handlers, "renew", answer_xla<RenewRequest>) &&
                         add(handlers, "frontier", answer_xla<FrontierRequest>) &&
                         add(handlers, "prepare", answer_xla<PrepareRequest>) &&
                         add(handlers, "share", answer_xla<ShareRequest>) &&
                         add(handlers, "quotas", answer_xla<QuotaRequest>) &&
                         add(handlers, "route", answer_xla<RouteRequest>);
  if (are_there) return handlers;
  Py_XDECREF(handlers);
  return nullptr;
}

// As Python's table of methods has them.
PyCFunction called(PyObject* (*call)(PyObject*, PyObject* const*, Py_ssize_t)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call));
}

PyMethodDef methods[] = {
    {"plan", called(answer<PlanRequest>), METH_FASTCALL,
     "plan(weight, integers, reals, strides, phy2log, log2phy, logcnt, lanes, threads)\n--\n\nWrite the maps of a plan."},
    {"place", called(answer<PlaceRequest>), METH_FASTCALL,
     "place(weight, integers, reals, strides, phy2log, rank, logcnt, lanes, threads)\n--\n\nWrite the slots of a plan."},
    {"follow", called(answer<FollowRequest>), METH_FASTCALL,
     "follow(previous, max_moves, min_gain, weight, integers, mark, one, other, phy2log, log2phy, logcnt, lanes, threads)\n"
     "--\n\nWrite the maps of a plan that follows another."},
    {"follow_or_renew", called(answer<FollowOrRenewRequest>), METH_FASTCALL,
     "follow_or_renew(previous, max_moves, min_gain, fresh, weight, integers, mark, one, other, phy2log, log2phy, logcnt, "
     "lanes, threads)\n--\n\nWrite the maps of a plan that follows another, or is a fresh one."},
    {"renew", called(answer<RenewRequest>), METH_FASTCALL,
     "renew(previous, min_gain, fresh, weight, integers, mark, one, other, phy2log, log2phy, logcnt, lanes, threads)\n"
     "--\n\nWrite the maps of a fresh plan that replaces another."},
    {"frontier", called(answer<FrontierRequest>), METH_FASTCALL,
     "frontier(previous, weight, integers, mark, one, other, phy2log, logcnt, busiest, balancedness, lanes, threads)\n"
     "--\n\nWrite the plans that follow another by each number of moves."},
    {"plan_for_samples", called(answer<SamplesRequest>), METH_FASTCALL,
     "plan_for_samples(weight, integers, mark, one, other, reals, search, strides, phy2log, log2phy, logcnt, lanes, "
     "threads)\n--\n\nWrite the maps of a plan for several samples."},
    {"share", called(answer<ShareRequest>), METH_FASTCALL,
     "share(expert, place, first, holders, colour, start, size, tolerance, weight, integers,\n"
     "      share, gpu_load, busiest, lower_bound, proof, gap, rounds, lanes, threads)\n"
     "--\n\nWrite shares of a plan for which it is prepared, or say why not."},
    {"share_of_plan", called(answer<ShareOfPlanRequest>), METH_FASTCALL,
     "share_of_plan(phy2log, tolerance, weight, integers,\n"
     "              share, gpu_load, busiest, lower_bound, proof, gap, rounds, lanes, threads)\n"
     "--\n\nWrite shares of a plan, or say why not."},
    {"prepare_shares", called(answer<PrepareRequest>), METH_FASTCALL,
     "prepare_shares(phy2log, integers, expert, place, first, holders, colour, start, size, lanes, threads)\n"
     "--\n\nWrite what shares need to know of a plan."},
    {"quotas", called(answer<QuotaRequest>), METH_FASTCALL,
     "quotas(share, phy2log, log2phy, logcnt, counts, rank, integers, quota, lanes, threads)\n"
     "--\n\nWrite quotas of all ranks, or of one where there is a rank for each layer, or say why not."},
    {"route", called(answer<RouteRequest>), METH_FASTCALL,
     "route(quota, log2phy, logcnt, first, experts, integers, slots, lanes, threads)\n"
     "--\n\nWrite the slots of tokens, or say why not."},
    {"xla_handlers", xla_handlers, METH_NOARGS, "xla_handlers()\n--\n\nWhat XLA calls for each step, as capsules."},
    {nullptr, nullptr, 0, nullptr},
};

int start(PyObject* module) { return PyModule_AddIntConstant(module, "MOST_LANES", kMostLanes); }

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(start)}, {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", "Plans in native code.", 0, methods, slots,
                          nullptr,               nullptr,   nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__native() { return PyModuleDef_Init(&definition); }
