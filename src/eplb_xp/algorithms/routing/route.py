"""From the expert of a token to a slot: tokens stand in line, expert by expert, and replicas take what stands together.

Arrays may have more dimensions in front; each entry of those is routed by itself.
"""

import math

from eplb_xp.algorithms.rows import count_at_most
from eplb_xp.algorithms.runs import Runs, by_item, of_owner, runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def route_in_turn(lib: Standard, log2phy: Array, logcnt: Array, first: Array, experts: Array) -> tuple[Array]:
    """The replicas of an expert take turns; ``first`` tokens [..., experts] had theirs before, or [..., 0] for none."""
    width = log2phy.shape[-1]
    number, before = _numbers(lib, logcnt, first)
    line = _line(lib, experts, number.shape[-1])
    behind = of_owner(lib, before - line.first[:, :-1], line.owner)
    replica = (lib.arange_like(behind) + behind) % of_owner(lib, lib.xp.clip(number, 1, width), line.owner, 1)
    return _slots(lib, line, log2phy, line.owner * width + replica, experts)


def route_by_quota(lib: Standard, quota: Array, *arrays: Array) -> tuple[Array]:
    """A replica takes its expert's tokens up to its quota [..., experts, width], the last one all that are left."""
    xp = lib.xp
    log2phy, logcnt, first, experts = arrays
    width = log2phy.shape[-1]
    number, before = (x[:, :, None] for x in _numbers(lib, logcnt, first))
    line = _line(lib, experts, number.shape[1])
    begin, length = (x[:, :-1, None] for x in (line.first, line.length))
    until = xp.reshape(_indices(lib, quota, 2), (*number.shape[:2], width)) - before
    is_last = lib.arange_like(until) >= number - 1
    until = begin + xp.where(is_last, length, xp.minimum(xp.clip(until, 0, None), length))
    # Ends ascend through all of the line, so those before a token are the places before its own.
    ends = xp.reshape(until, (until.shape[0], until.shape[1] * width))
    place = count_at_most(lib, ends, lib.arange_like(line.order), line.order.shape[-1] + 1)
    return _slots(lib, line, log2phy, place, experts)


def _numbers(lib: Standard, logcnt: Array, first: Array) -> tuple[Array, Array]:
    """How many replicas each expert has, and how many tokens it had before."""
    number = _indices(lib, logcnt, 1)
    return number, _indices(lib, first, 1) if first.shape[-1] else lib.xp.zeros_like(number)


def _line(lib: Standard, experts: Array, number: int) -> Runs:
    """The tokens of each expert, in their order, and behind them those that go to none."""
    expert = _indices(lib, experts, 2)
    return runs_of(lib, lib.xp.where((expert >= 0) & (expert < number), expert, number), number + 1)


def _slots(lib: Standard, line: Runs, log2phy: Array, place: Array, experts: Array) -> tuple[Array]:
    """The slots in these places of ``log2phy``, and -1 behind the last, for tokens in line, in the order of tokens."""
    slot = of_owner(lib, _rows(lib, log2phy, 2), place, -1)
    return (lib.xp.reshape(by_item(lib, line, slot), tuple(experts.shape)),)


def _rows(lib: Standard, x: Array, dimensions: int) -> Array:
    """The last dimensions as one, those in front as another."""
    front = len(x.shape) - dimensions
    return lib.xp.reshape(x, (math.prod(x.shape[:front]), math.prod(x.shape[front:])))


def _indices(lib: Standard, x: Array, dimensions: int) -> Array:
    return lib.xp.astype(_rows(lib, x, dimensions), lib.index_dtype)
