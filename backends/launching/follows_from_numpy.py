"""Plans that follow others for arrays in host memory, by the native code of `native/following`."""

import functools
from typing import Any

import numpy as np

from eplb_xp.algorithms.following import follow as once_written
from eplb_xp.algorithms.following.beginning import shape_of
from eplb_xp.algorithms.following.turns import FOLLOWING
from eplb_xp.backends.launching.from_numpy import extension_for, threads
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Plan

# As native/following/shape.hpp has them.
MOST_CAPACITY = 255
MOST_PAIRS = 2**26

Arrays = np.ndarray[Any, Any]


def follow(lib: Standard, *arrays: Arrays, lanes: int | None = None, **settings: Any) -> Plan[Any] | Refusal:
    """The plan by native code, or why the once-written code makes it."""
    native = extension_for(settings["sizes"])
    if isinstance(native, Refusal):
        return native
    previous, max_moves, min_gain, weight = arrays
    layers, samples, experts = weight.shape
    shape = _integers(samples, experts, **settings)
    if isinstance(shape, Refusal):
        return shape
    with np.errstate(all="ignore"):
        load = np.ascontiguousarray(lib.float32(weight))
        held, budget = (np.ascontiguousarray(x, dtype=np.int64) for x in (previous, max_moves))
    gain = np.ascontiguousarray(min_gain, dtype=np.float32)
    maps = [np.empty(size, np.int64) for size in settings["sizes"].map_shapes(layers, experts)]
    native.follow(held, budget, gain, load, shape, *_aims(), *maps, lanes or native.MOST_LANES, threads())
    return Plan(*maps)


def follow_or_renew(lib: Standard, *arrays: Arrays, **settings: Any) -> Plan[Any] | Refusal:
    """The search by native code; whether a fresh plan is better is found by the once-written code."""
    previous, max_moves, min_gain, fresh, weight = arrays
    found = follow(lib, previous, max_moves, np.zeros_like(min_gain), weight, **settings)
    if isinstance(found, Refusal):
        return found
    given = (previous, max_moves, min_gain, fresh, found.phy2log, weight)
    made: Plan[Any] = lib.call(once_written.or_renewed, *given, **settings)
    return made


@functools.lru_cache(maxsize=1024)
def _integers(
    samples: int, experts: int, *, sizes: Sizes, policy: Policy, divides: bool, gpus_per_node: int, far_cost: int
) -> Arrays | Refusal:
    """What native code reads of sizes and policy, in the order of native/following/shape.hpp."""
    slots, gpus = sizes.num_replicas, sizes.num_gpus
    for name, number, most in (
        ("slots a GPU", slots // gpus, MOST_CAPACITY),
        ("experts times GPUs", experts * gpus, MOST_PAIRS),
        ("samples times replicas", samples * slots, MOST_PAIRS),
    ):
        if number > most:
            return Refusal(f"native code follows a plan with at most {most} {name}, got {number}")
    shape = shape_of(sizes, policy, experts, gpus_per_node, far_cost)
    groups = sizes.num_groups if sizes.num_nodes > 1 else 1
    numbers = (
        *(samples, experts, slots, gpus, groups, sizes.num_nodes, shape.most, sizes.width(experts)),
        *(shape.changes_counts, shape.keeps_links, shape.near_gpus, shape.far_cost, divides),
        *(len(FOLLOWING.wide), len(FOLLOWING.wide + FOLLOWING.narrow)),
    )
    return np.array(numbers, np.int32)


@functools.cache
def _aims() -> list[Arrays]:
    """Of an excess what each path leaves, in two parts."""
    return [np.array(part, np.float32) for part in zip(*FOLLOWING.wide, *FOLLOWING.narrow, strict=True)]
