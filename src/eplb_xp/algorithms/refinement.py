"""Swaps that lower the busiest GPU."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.algorithms.swaps import Items, Packed, swap
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class _Refinement(NamedTuple):
    item: Array  # [rows, items] the item in each slot
    pack_load: Array  # [rows, packs]
    left: Array  # [rows, 1] swaps that may still be made; 0 once none helps


def refine(lib: Standard, packs: Packed, items: Items, policy: Policy) -> Array:
    """The item in each slot, after swaps between the busiest pack and others for as long as the best one helps.

    The best swap leaves the busier of its two packs the least load; of equal ones it is the first by
    the slot in the busiest pack, then by the other slot. None puts an expert where that expert is already.
    """
    xp = lib.xp
    load = items.load
    num_packs = packs.pack_load.shape[-1]
    least = tree_sum(lib, load)[:, None] * policy.threshold

    def unfinished(refinement: _Refinement) -> Array:
        return xp.any(refinement.left > 0)

    def swap_best(refinement: _Refinement) -> _Refinement:
        item, pack_load, left = refinement
        rows, slots = item.shape
        capacity = slots // num_packs
        rank = lib.arange(capacity, load)[None, :]
        ours = xp.argmax(pack_load, axis=-1, keepdims=True) * capacity + rank
        if policy.neighbourhood == "lightest":
            theirs = xp.argmin(pack_load, axis=-1, keepdims=True) * capacity + rank
        else:
            theirs = lib.arange_like(item)
        gain = _gain(lib, Packed(item, pack_load), items, ours, theirs)

        number = theirs.shape[-1]
        gain = xp.reshape(gain, (rows, capacity * number))
        best = xp.argmax(gain, axis=-1, keepdims=True)
        helps = xp.take_along_axis(gain, best, axis=-1) * num_packs > least
        one = xp.take_along_axis(ours, best // number, axis=-1)
        other = xp.take_along_axis(theirs, best % number, axis=-1)
        swapped = swap(lib, Packed(item, pack_load), load, (one, other), helps)
        return _Refinement(*swapped, xp.where(helps, left - 1, 0))

    left = xp.full_like(packs.item[:, :1], policy.rounds)
    return lib.while_loop(unfinished, swap_best, _Refinement(*packs, left)).item


def _gain(lib: Standard, packs: Packed, items: Items, ours: Array, theirs: Array) -> Array:
    """How far below the busiest load a swap of two slots brings the busier of their packs: [rows, ours, theirs].

    0 for a swap that would double an expert.
    """
    xp = lib.xp
    load, expert = items
    capacity = ours.shape[-1]
    our_item = xp.take_along_axis(packs.item, ours, axis=-1)
    their_item = xp.take_along_axis(packs.item, theirs, axis=-1)
    our_load = xp.take_along_axis(load, our_item, axis=-1)
    their_load = xp.take_along_axis(load, their_item, axis=-1)
    busiest = xp.take_along_axis(packs.pack_load, ours[:, :1] // capacity, axis=-1)
    their_pack = xp.take_along_axis(packs.pack_load, theirs // capacity, axis=-1)
    less = our_load[:, :, None] - their_load[:, None, :]
    # Exactly what the loads will be, as rounded: so swaps that help can't go in circles.
    gain = busiest[:, :, None] - xp.maximum(busiest[:, :, None] - less, their_pack[:, None, :] + less)
    if expert is None:
        return gain
    our_expert = xp.take_along_axis(expert, our_item, axis=-1)
    their_expert = xp.take_along_axis(expert, their_item, axis=-1)
    same = our_expert[:, :, None] == their_expert[:, None, :]
    theirs_here = xp.any(same, axis=1, keepdims=True)
    rows, _, number = same.shape
    by_pack = (rows, capacity, number // capacity, capacity)
    ours_there = xp.broadcast_to(xp.any(xp.reshape(same, by_pack), axis=-1, keepdims=True), by_pack)
    return xp.where(theirs_here | xp.reshape(ours_there, same.shape), 0.0, gain)
