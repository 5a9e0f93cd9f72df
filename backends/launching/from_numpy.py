"""Plans for arrays in host memory by the native code of `native/`."""

import functools
import importlib.util
import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from eplb_xp.algorithms.counts.replication import Replicas
from eplb_xp.algorithms.placement import Placement
from eplb_xp.algorithms.rows import inverse
from eplb_xp.backends.launching.describing import described
from eplb_xp.backends.launching.rings import RingShape
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import POLICIES, Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Plan

MODULE = "eplb_xp.backends.native._native"
THREADS = "EPLB_XP_THREADS"
MOST_THREADS = 1024
MOST_REPLICAS = 2**20
IS_BUILT = importlib.util.find_spec(MODULE) is not None

# The integers of a shape, in the order of native/shape.hpp.
INTEGERS = (
    *("experts", "groups", "nodes", "halves", "node_experts", "fewest", "most", "spares", "gpus", "slots", "packed"),
    *("width", "apart", "everywhere", "ring", "starts", "noise", "seed", "lightest", "rounds", "finish", "levels"),
    *("generations", "refined", "parents", "steps"),
)
FLOATS = ("threshold", "close")

_log = logging.getLogger("eplb_xp")
_Shape = tuple[Any, Any, Any]  # integers, floats, strides
Arrays = np.ndarray[Any, Any]


def plan(
    lib: Standard, weight: Arrays, *, sizes: Sizes, policy: Policy, lanes: int | None = None
) -> Plan[Any] | Refusal:
    """The plan by native code, or why the once-written code makes it."""
    shapes = sizes.map_shapes(*weight.shape)
    found = _made("plan", lib, weight, shapes, sizes=sizes, policy=policy, lanes=lanes)
    return found if isinstance(found, Refusal) else Plan(*found)


def place(
    lib: Standard, weight: Arrays, *, sizes: Sizes, policy: Policy, lanes: int | None = None
) -> Placement | Refusal:
    """The same as slots and ranks."""
    slots = len(weight), sizes.num_replicas
    found = _made("place", lib, weight, (slots, slots, weight.shape), sizes=sizes, policy=policy, lanes=lanes)
    return found if isinstance(found, Refusal) else Placement(*found)


def pack_items(
    lib: Standard, weight: Arrays, *, num_packs: int, policy: Policy, lanes: int | None = None
) -> tuple[Arrays, Arrays] | Refusal:
    """The packing alone: a plan of one replica for each item, which replicas may double in."""
    items = weight.shape[1]
    policy = replace(policy, may_double=True, ring=False, levels=0)
    placed = place(lib, weight, sizes=Sizes(items, 1, 1, num_packs), policy=policy, lanes=lanes)
    if isinstance(placed, Refusal):
        return placed
    slot = inverse(lib, placed.phy2log)
    return slot // (items // num_packs), slot % (items // num_packs)


def replicate_loads(
    lib: Standard, weight: Arrays, *, num_replicas: int, lanes: int | None = None
) -> Replicas | Refusal:
    """The replication alone: a plan of one slot a GPU, each of which has the replica of its number."""
    sizes = Sizes(num_replicas, 1, 1, num_replicas)
    placed = place(lib, weight, sizes=sizes, policy=POLICIES["greedy"], lanes=lanes)
    return placed if isinstance(placed, Refusal) else Replicas(*placed)


def _made(
    step: str, lib: Standard, weight: Arrays, shapes: Iterable[Any], *, sizes: Sizes, policy: Policy, lanes: int | None
) -> list[Arrays] | Refusal:
    native = extension_for(sizes)
    if isinstance(native, Refusal):
        return native
    load = np.ascontiguousarray(lib.float32(weight))
    results = [np.empty(shape, np.int64) for shape in shapes]
    told = shape_of(weight.shape[1], sizes, policy)
    getattr(native, step)(load, *told, *results, lanes or native.MOST_LANES, threads())
    return results


def extension_for(sizes: Sizes) -> Any:
    """The extension module, or why it does not plan for these sizes."""
    native = extension()
    if not isinstance(native, Refusal) and sizes.num_replicas > MOST_REPLICAS:
        return Refusal(f"native code plans for at most {MOST_REPLICAS} replicas, got {sizes.num_replicas}")
    return native


@functools.cache
def extension() -> Any:
    """The extension module, or why there is none; that is said once."""
    try:
        return importlib.import_module(MODULE)
    except ImportError as error:
        reason = f"there is no native code, which is built where there is a C++ compiler: {error}"
        _log.info("%s; plans are made without it", reason)
        return Refusal(reason)


def threads() -> int:
    """In how many threads layers are planned at once."""
    value = os.environ.get(THREADS)
    if value is None:
        return 1
    number = int(value) if value.isascii() and value.isdigit() else 0
    if not 1 <= number <= MOST_THREADS:
        raise ValueError(f"{THREADS} must be an integer from 1 to {MOST_THREADS}, got {value!r}")
    return number


@functools.lru_cache(maxsize=1024)
def shape_of(experts: int, sizes: Sizes, policy: Policy) -> _Shape:
    """What native code reads of sizes and policy."""
    shape = described(RingShape, experts, sizes, policy)
    strides = np.array(shape.strides if shape.ring else (), np.int32)
    integers = np.array([getattr(shape, name) for name in INTEGERS] + [strides.size], np.int32)
    floats = np.array([getattr(shape, name) for name in FLOATS], np.float32)
    return integers, floats, strides
