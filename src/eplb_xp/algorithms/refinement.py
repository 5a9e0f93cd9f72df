"""Swaps that lower the busiest GPU."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.algorithms.swaps import Items, Packed, Table, column, slots, swap, table
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class _Refinement(NamedTuple):
    """A table, and what is left to do."""

    item: Array
    load: Array
    expert: Array
    pack_load: Array
    left: Array  # [rows, 1] swaps that may still be made; 0 once none helps


class _Side(NamedTuple):
    """One pack of each row, or all."""

    pack: Array  # [rows, packs] their numbers
    load: Array  # [rows, capacity, packs] of the items
    expert: Array  # [rows, capacity, packs]
    pack_load: Array  # [rows, packs]


def refine(lib: Standard, packs: Packed, items: Items, policy: Policy) -> Array:
    """The item in each slot, after swaps between the busiest pack and others for as long as the best one helps.

    The best swap leaves the busier of its two packs the least load. Of equal ones it is the first by
    the other item's rank, then by its pack, then by the rank in the busiest pack. None puts an
    expert where that expert is already.
    """
    xp = lib.xp
    num_packs = packs.pack_load.shape[-1]
    least = tree_sum(lib, items.load)[:, None] * policy.threshold

    def unfinished(refinement: _Refinement) -> Array:
        return xp.any(refinement.left > 0)

    def swap_best(refinement: _Refinement) -> _Refinement:
        item, load, expert, pack_load, left = refinement
        now = Table(item, load, expert, pack_load)
        ours = _one_pack(lib, now, lib.argmin(-pack_load))
        if policy.neighbourhood == "lightest":
            theirs = _one_pack(lib, now, lib.argmin(pack_load))
        else:
            theirs = _all_packs(lib, now)
        movable = _movable(lib, ours, theirs)
        other, busier = _best_partner(lib, ours, theirs, movable)
        one = _best_item(lib, ours, theirs, movable, other)

        helps = (ours.pack_load - busier) * num_packs > least
        places = _place(lib, ours, one, num_packs), _place(lib, theirs, other, num_packs)
        swapped = swap(lib, now, places, helps)
        return _Refinement(*swapped, xp.where(helps, left - 1, 0))

    left = xp.full_like(packs.item[:, :1], policy.rounds)
    item, load, expert, pack_load, _ = lib.while_loop(
        unfinished, swap_best, _Refinement(*table(lib, packs, items), left)
    )
    return slots(lib, Table(item, load, expert, pack_load))


def _one_pack(lib: Standard, now: Table, pack: Array) -> _Side:
    """One pack of each row: [rows, 1]."""
    places = column(lib, now, pack)
    load, expert = (lib.take_along_axis(x, places)[:, :, None] for x in (now.load, now.expert))
    return _Side(pack, load, expert, lib.take_along_axis(now.pack_load, pack))


def _all_packs(lib: Standard, now: Table) -> _Side:
    """All packs of each row."""
    rows, num_packs = now.pack_load.shape
    capacity = now.item.shape[-1] // num_packs
    load, expert = (lib.xp.reshape(x, (rows, capacity, num_packs)) for x in (now.load, now.expert))
    return _Side(lib.arange_like(now.pack_load), load, expert, now.pack_load)


def _place(lib: Standard, side: _Side, entry: Array, num_packs: int) -> Array:
    """The place in the table of an entry [rows, 1] of a side."""
    width = side.pack.shape[-1]
    return entry // width * num_packs + lib.take_along_axis(side.pack, entry % width)


def _movable(lib: Standard, ours: _Side, theirs: _Side) -> Array:
    """Loads of our items in each pack that they may go to, else -infinity: [rows, capacity, packs]."""

    def there(rank: int) -> Array:
        return ours.expert == theirs.expert[:, rank, :][:, None, :]

    def also(rank: int, before: Array) -> Array:
        return before | there(rank)

    taken = lib.fori_loop(1, theirs.expert.shape[1], also, there(0))
    return lib.xp.where(taken, -float("inf"), ours.load)


def _best_partner(lib: Standard, ours: _Side, theirs: _Side, movable: Array) -> tuple[Array, Array]:
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


def _best_item(lib: Standard, ours: _Side, theirs: _Side, movable: Array, other: Array) -> Array:
    """Our entry in the best swap, given theirs: [rows, 1]."""
    xp = lib.xp
    rows, capacity, width = movable.shape
    pack = other % width
    entries = lib.arange(capacity, other)[None, :] * width + pack
    our_load = lib.take_along_axis(xp.reshape(movable, (rows, capacity * width)), entries)
    less = our_load - lib.take_along_axis(xp.reshape(theirs.load, (rows, capacity * width)), other)
    return lib.argmin(xp.maximum(ours.pack_load - less, lib.take_along_axis(theirs.pack_load, pack) + less))
