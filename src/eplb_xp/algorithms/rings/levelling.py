"""Experts change seats, so that equal shares are even; a seat is the set of GPUs of an expert.

Two experts of equally many replicas swap all their places at once: so who is linked with whom stays as it is. Those of
one replica are the common case.
"""

from typing import NamedTuple

from eplb_xp.algorithms.rows import slot_sum, tree_sum
from eplb_xp.algorithms.runs import Runs, run_max, runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class _Seating(NamedTuple):
    """Who sits where, and what is left to do."""

    expert: Array  # [rows, seats] in each seat
    left: Array  # [rows, 1] swaps that may still be made; 0 once none helps


class _Swap(NamedTuple):
    """The seats of a swap, and what it does for the busiest pack."""

    ours: Array  # [rows, 1]
    theirs: Array
    less: Array  # load of the busiest pack beyond that of the busiest of all these packs after it


def levelled(lib: Standard, load: Array, slot2expert: Array, num_packs: int, policy: Policy) -> Array:
    """The expert in each slot, after at most so many swaps of seats as the policy has rounds: [rows, slots].

    They end when the best one between the busiest pack and others helps no more.
    """
    xp = lib.xp
    rows, slots = slot2expert.shape
    runs = runs_of(lib, slot2expert, load.shape[-1])
    share = lib.divide(load, xp.astype(runs.length, xp.float32))
    least = tree_sum(lib, load)[:, None] * policy.threshold

    def unfinished(seating: _Seating) -> Array:
        return xp.any(seating.left > 0)

    def swap_best(seating: _Seating) -> _Seating:
        its_share = lib.take_along_axis(share, seating.expert)
        slot_load = lib.take_along_axis(its_share, slot2expert)
        pack_load = slot_sum(lib, xp.reshape(slot_load, (rows, num_packs, slots // num_packs)))
        best = _best_swap(lib, slot2expert, runs, its_share, pack_load)
        helps = (seating.left > 0) & (best.less * num_packs > least)
        there, back = xp.concat([best.ours, best.theirs], axis=-1), xp.concat([best.theirs, best.ours], axis=-1)
        comes = lib.take_along_axis(seating.expert, xp.where(helps, back, there))
        expert = lib.put_along_axis(seating.expert, there, comes)
        return _Seating(expert, xp.where(helps, seating.left - 1, 0))

    start = _Seating(lib.arange_like(load), xp.full_like(slot2expert[:, :1], policy.rounds))
    return lib.take_along_axis(lib.while_loop(unfinished, swap_best, start).expert, slot2expert)


def _best_swap(lib: Standard, slot2seat: Array, runs: Runs, share: Array, pack_load: Array) -> _Swap:
    """The swap that leaves the busiest of its packs the least load, the first by their seat, then by ours.

    Given the seat of each slot, their runs, and the share of a slot of each seat [rows, seats]. What a pack of both
    would get is counted, though it stays as it is.
    """
    xp = lib.xp
    num_packs = pack_load.shape[-1]
    slots, experts = slot2seat.shape[-1], share.shape[-1]
    capacity = slots // num_packs
    busiest = lib.argmin(-pack_load)
    load = lib.take_along_axis(pack_load, busiest)
    ours = lib.take_along_axis(slot2seat, busiest * capacity + lib.arange(capacity, busiest)[None, :])
    our_share, our_number = (lib.take_along_axis(x, ours) for x in (share, runs.length))
    longest = min(slots - experts + 1, num_packs)
    heaviest = run_max(lib, runs, lib.take_along_axis(pack_load, runs.order // capacity), longest)

    def after(rank: int) -> Array:
        less = our_share[:, rank][:, None] - share
        busier = xp.maximum(load - less, heaviest + less)
        return xp.where(runs.length == our_number[:, rank][:, None], busier, float("inf"))

    def least(rank: int, before: Array) -> Array:
        return xp.minimum(before, after(rank))

    found = lib.fori_loop(1, capacity, least, after(0))
    theirs = lib.argmin(found)
    its_share, its_heaviest, its_number = (lib.take_along_axis(x, theirs) for x in (share, heaviest, runs.length))
    less = our_share - its_share
    busier = xp.where(our_number == its_number, xp.maximum(load - less, its_heaviest + less), float("inf"))
    ours = lib.take_along_axis(ours, lib.argmin(busier))
    return _Swap(ours, theirs, load - lib.take_along_axis(found, theirs))
