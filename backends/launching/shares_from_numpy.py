"""Shares of arrays in host memory, by the native code of `native/sharing`."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from eplb_xp.algorithms.sharing.prepared import linked
from eplb_xp.algorithms.sharing.tokens import MOST_TOKENS
from eplb_xp.backends.launching.from_numpy import MOST_REPLICAS, extension, threads
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.types import Prepared, Shares

# As native/sharing/shape.hpp has them.
MOST_PAIRS = 2**24
MOST_NEIGHBOURS = 2**26

Arrays = np.ndarray[Any, Any]
Results = Sequence[tuple[tuple[int, ...], Any]]


def share(lib: Standard, *arrays: Arrays, **settings: Any) -> Shares[Any] | Refusal:
    """Shares of a plan for which it is prepared, or why the once-written code makes them."""
    return _shared("share", lib, *arrays, **settings)


def share_of_plan(lib: Standard, *arrays: Arrays, **settings: Any) -> Shares[Any] | Refusal:
    """Shares of a plan, or why the once-written code makes them."""
    return _shared("share_of_plan", lib, *arrays, **settings)


def prepare(
    _: Standard, phy2log: Arrays, *, num_experts: int, num_gpus: int, lanes: int | None = None
) -> Prepared[Any] | Refusal:
    """What shares need to know of a plan, or why the once-written code finds it out."""
    shape = shape_of(num_experts, phy2log.shape[1], num_gpus, 0)
    if isinstance(shape, Refusal):
        return shape
    found = Prepared(*(np.empty(*result) for result in results_of_prepare(phy2log.shape, num_experts, np.int64)))
    native = extension()
    native.prepare_shares(_integers(phy2log), shape, *found, lanes or native.MOST_LANES, threads())
    return found


def _shared(
    call: str, lib: Standard, *arrays: Arrays, num_gpus: int, rounds: int, lanes: int | None = None
) -> Shares[Any] | Refusal:
    *given, tolerance, weight = arrays
    slots, are_integers = given[0].shape, lib.is_integer(weight)
    shape = shape_of(weight.shape[1], slots[1], num_gpus, rounds, are_integers=are_integers)
    if isinstance(shape, Refusal):
        return shape
    load = _tokens(weight) if are_integers else np.ascontiguousarray(lib.float32(weight))
    found = Shares(*(np.empty(*result) for result in results_of_share(slots, num_gpus, np.int64)))
    native = extension()
    near = np.ascontiguousarray(tolerance, dtype=np.float32)
    buffers = (*map(_integers, given), near, load, shape, *found)
    reason = getattr(native, call)(*buffers, lanes or native.MOST_LANES, threads())
    return found if reason is None else Refusal(reason)


def _integers(x: Arrays) -> Arrays:
    return np.ascontiguousarray(x, dtype=np.int64)


def _tokens(weight: Arrays) -> Arrays:
    """Integers that fit 64 bits; more than a layer may have is all the same."""
    return _integers(np.minimum(weight, MOST_TOKENS + 1) if weight.dtype == np.uint64 else weight)


def results_of_prepare(slots: tuple[int, int], experts: int, index: Any) -> Results:
    """Shapes and dtypes of `Prepared` for slots [layers, replicas]."""
    layers, replicas = slots
    each = layers, experts
    shapes = (slots, (layers, linked(replicas, experts)), each, each, each, each, (layers, 1))
    return [(shape, index) for shape in shapes]


def results_of_share(slots: tuple[int, int], gpus: int, index: Any) -> Results:
    """The same of `Shares`."""
    layers, _ = slots
    of_gpus = layers, gpus
    of_loads = ((slots, index), (of_gpus, index), ((layers,), index))
    return (*of_loads, ((layers,), np.float32), (of_gpus, np.bool_), ((layers,), np.float32), ((layers,), index))


@functools.lru_cache(maxsize=1024)
def shape_of(
    experts: int, replicas: int, gpus: int, rounds: int, *, are_integers: bool = False, index_bytes: int = 8
) -> Arrays | Refusal:
    """What native code reads of the sizes, in the order of native/sharing/shape.hpp, or why it doesn't share."""
    native = extension()
    if isinstance(native, Refusal):
        return native
    places = linked(replicas, experts)
    for name, number, most in (
        ("replicas", replicas, MOST_REPLICAS),
        ("pairs of replicas that may meet", places * (min(gpus, places) - 1) // 2 + 1, MOST_PAIRS),
        ("pairs of slots of a GPU", replicas * (replicas // gpus), MOST_NEIGHBOURS),
    ):
        if number > most:
            return Refusal(f"native code shares among at most {most} {name}, got {number}")
    return np.array([experts, replicas, gpus, rounds, are_integers, index_bytes], np.int32)
