"""Swaps that lower the busiest GPU."""

from typing import NamedTuple

from eplb_xp.algorithms.improving.sides import Side, all_packs, busiest_pack, holds, place, some_packs
from eplb_xp.algorithms.improving.swaps import swap
from eplb_xp.algorithms.improving.table import Table
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class _Refinement(NamedTuple):
    """A table, and what is left to do."""

    item: Array
    load: Array
    expert: Array
    pack_load: Array
    left: Array  # [rows, 1] rounds that may still be made; 0 once none helps


class Swap(NamedTuple):
    """A swap, and what it does for the busiest pack."""

    places: tuple[Array, Array]  # [rows, 1] each, the first in the busiest pack
    less: Array  # [rows, 1] load of the busiest pack beyond that of the busier of the two after it


def refine(lib: Standard, table: Table, total: Array, policy: Policy, left: Array) -> Table:
    """The table after at most so many swaps [rows, 1] between the busiest pack and others, given the load of all items.

    They end when the best one helps no more.
    """
    xp = lib.xp
    num_packs = table.pack_load.shape[-1]
    least = total * policy.threshold

    def is_open(refinement: _Refinement) -> Array:
        return refinement.left > 0

    def swap_best(refinement: _Refinement, fixed: tuple[Array, ...]) -> _Refinement:
        *parts, left = refinement
        (least,) = fixed
        now = Table(*parts)
        best = best_swap(lib, now, policy)
        helps = (left > 0) & (best.less * num_packs > least)
        return _Refinement(*swap(lib, now, best.places, helps), xp.where(helps, left - 1, 0))

    return Table(*lib.while_rows(is_open, swap_best, _Refinement(*table, left), (least,))[:4])


def best_swap(lib: Standard, now: Table, policy: Policy) -> Swap:
    """The best swap between the busiest pack and others.

    It leaves the busier of its two packs the least load. Of equal ones it is the first by the other item's
    rank, then by its pack, then by the rank in the busiest pack. None puts an expert where that expert is
    already.
    """
    xp = lib.xp
    num_packs = now.pack_load.shape[-1]
    ours = busiest_pack(lib, now)
    if policy.neighbourhood == "lightest":
        theirs = some_packs(lib, now, lib.argmin(now.pack_load))
    else:
        theirs = all_packs(lib, now)
    movable = xp.where(holds(lib, ours.expert, theirs.expert), -float("inf"), ours.load)
    other, busier = _best_partner(lib, ours, theirs, movable)
    one = _best_item(lib, ours, theirs, movable, other)
    places = place(lib, ours, one, num_packs), place(lib, theirs, other, num_packs)
    return Swap(places, ours.pack_load - busier)


def _best_partner(lib: Standard, ours: Side, theirs: Side, movable: Array) -> tuple[Array, Array]:
    """Their entry in the best swap, and the load of the busier pack after it: [rows, 1] each."""
    xp = lib.xp

    def busier(rank: int) -> Array:
        # Exactly what the loads will be, as rounded: so swaps that help can't go in circles.
        less = movable[:, rank, :][:, None, :] - theirs.load
        after = xp.maximum(ours.pack_load[:, :, None] - less, theirs.pack_load[:, None, :] + less)
        ours_too = ours.expert[:, rank, :][:, None, :] == theirs.expert
        return xp.where(ours_too, -float("inf"), after)

    def least(rank: int, before: Array) -> Array:
        return xp.minimum(before, busier(rank))

    after = lib.fori_loop(1, ours.load.shape[1], least, busier(0))
    after = xp.where(after < 0.0, float("inf"), after)  # an expert that is ours too stays where it is
    rows, capacity, width = after.shape
    after = xp.reshape(after, (rows, capacity * width))
    best = lib.argmin(after)
    return best, lib.take_along_axis(after, best)


def _best_item(lib: Standard, ours: Side, theirs: Side, movable: Array, other: Array) -> Array:
    """Our entry in the best swap, given theirs: [rows, 1]."""
    xp = lib.xp
    rows, capacity, width = movable.shape
    pack = other % width
    entries = lib.arange(capacity, other)[None, :] * width + pack
    our_load = lib.take_along_axis(xp.reshape(movable, (rows, capacity * width)), entries)
    less = our_load - lib.take_along_axis(xp.reshape(theirs.load, (rows, capacity * width)), other)
    return lib.argmin(xp.maximum(ours.pack_load - less, lib.take_along_axis(theirs.pack_load, pack) + less))
