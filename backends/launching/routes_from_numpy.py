"""Quotas and slots of tokens for arrays in host memory, by the native code of `native/routing`."""

import math
from typing import Any

import numpy as np

from eplb_xp.backends.launching.from_numpy import MOST_REPLICAS, extension, threads
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal

# As native/routing/shape.hpp has it.
MOST_PAIRS = 2**24

Arrays = np.ndarray[Any, Any]
NOTHING = np.empty(0, np.int64)


def quotas(_: Standard, *arrays: Arrays, num_nodes: int, lanes: int | None = None) -> tuple[Arrays] | Refusal:
    """Quotas of all ranks, or why the once-written code finds them."""
    return _divided(None, *arrays, num_nodes=num_nodes, lanes=lanes)


def quotas_of_rank(_: Standard, *arrays: Arrays, num_nodes: int, lanes: int | None = None) -> tuple[Arrays] | Refusal:
    """Those of one rank, or why the once-written code finds them."""
    return _divided(*arrays, num_nodes=num_nodes, lanes=lanes)


def route_in_turn(_: Standard, *arrays: Arrays, lanes: int | None = None) -> tuple[Arrays] | Refusal:
    """Slots of replicas that take turns, or why the once-written code finds them."""
    return _routed(None, *arrays, lanes=lanes)


def route_by_quota(_: Standard, *arrays: Arrays, lanes: int | None = None) -> tuple[Arrays] | Refusal:
    """Slots of replicas that take tokens up to their quotas, or why the once-written code finds them."""
    return _routed(*arrays, lanes=lanes)


def _divided(rank: Arrays | None, *arrays: Arrays, num_nodes: int, lanes: int | None) -> tuple[Arrays] | Refusal:
    native = extension()
    if isinstance(native, Refusal):
        return native
    *_, log2phy, _, counts = arrays
    (layers, ranks, experts), width = counts.shape, log2phy.shape[-1]
    shape = quota_shape(counts.shape, arrays[0].shape[1], width, num_nodes, is_of_one=rank is not None)
    if isinstance(shape, Refusal):
        return shape
    its_ranks, its_rank = ((ranks,), NOTHING) if rank is None else ((), rank)
    quota = np.empty((layers, *its_ranks, experts, width), np.int64)
    given = map(_integers, (*arrays, its_rank))
    reason = native.quotas(*given, shape, quota, lanes or native.MOST_LANES, threads())
    return (quota,) if reason is None else Refusal(reason)


def _routed(quota: Arrays | None, *arrays: Arrays, lanes: int | None) -> tuple[Arrays] | Refusal:
    native = extension()
    if isinstance(native, Refusal):
        return native
    log2phy, logcnt, first, experts = arrays
    shape = route_shape(log2phy.shape, experts.shape, has_first=first.shape[-1] > 0, has_quota=quota is not None)
    if isinstance(shape, Refusal):
        return shape
    slot = np.empty(experts.shape, np.int64)
    given = (NOTHING if quota is None else quota, log2phy, logcnt, first, experts)
    reason = native.route(*map(_integers, given), shape, slot, lanes or native.MOST_LANES, threads())
    return (slot.astype(log2phy.dtype, copy=False),) if reason is None else Refusal(reason)


def quota_shape(
    counts: tuple[int, ...], replicas: int, width: int, num_nodes: int, *, is_of_one: bool, index_bytes: int = 8
) -> Arrays | Refusal:
    """What native code reads of the sizes, in the order of native/routing/shape.hpp, or why it divides none."""
    _, ranks, experts = counts
    for name, number, most in (
        ("replicas", replicas, MOST_REPLICAS),
        ("ranks times replicas", ranks * replicas, MOST_PAIRS),
    ):
        if number > most:
            return Refusal(f"native code divides shares of at most {most} {name}, got {number}")
    return np.array([experts, replicas, ranks, num_nodes, width, is_of_one, index_bytes], np.int32)


def route_shape(
    log2phy: tuple[int, ...], experts: tuple[int, ...], *, has_first: bool, has_quota: bool, index_bytes: int = 8
) -> Arrays | Refusal:
    """The same of routes, given the shapes of arrays."""
    (number, width), tokens = log2phy[-2:], math.prod(experts[-2:])
    for name, numbers, most in (("places in log2phy", number * width, 2**31 - 1), ("tokens", tokens, 2**31 - 1)):
        if not 0 < numbers <= most:
            return Refusal(f"native code routes with 1 to {most} {name}, got {numbers}")
    return np.array([number, width, tokens, has_first, has_quota, index_bytes], np.int32)


def _integers(x: Arrays) -> Arrays:
    return np.ascontiguousarray(x, dtype=np.int64)
