"""Replicas of one expert that share a GPU are parted, swap by swap.

As long as no expert has more replicas than there are GPUs, this ends with none shared. Say GPU p holds
expert e twice. Some GPU q lacks e. Either q holds an expert that p lacks, or all that q holds p
holds too, and then, q lacking e, it holds some expert twice. To swap e with the former, or with one of the latter,
makes the number of doubled replicas smaller.
"""

from typing import NamedTuple

from eplb_xp.algorithms.swaps import Packed, swap
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Parting(NamedTuple):
    item: Array  # [rows, items] the item in each slot
    pack_load: Array  # [rows, packs]
    doubled: Array  # [rows, items] whether the slot's expert is on the same GPU in a slot before it


def part(lib: Standard, packs: Packed, load: Array, expert: Array) -> Array:
    """The item in each slot, once all are parted, each by the swap that leaves the busier GPU the least load.

    ``load`` and ``expert`` are those of the items: [rows, items].
    """
    xp = lib.xp

    def unfinished(parting: _Parting) -> Array:
        return xp.any(parting.doubled)

    def part_one(parting: _Parting) -> _Parting:
        item, pack_load, doubled = parting
        rows, items = item.shape
        num_packs = pack_load.shape[-1]
        capacity = items // num_packs
        held = xp.take_along_axis(expert, item, axis=-1)
        slot_load = xp.take_along_axis(load, item, axis=-1)

        one = xp.argmax(xp.astype(doubled, lib.index_dtype), axis=-1, keepdims=True)
        ours = one // capacity * capacity + lib.arange(capacity, load)[None, :]
        in_ours = held[:, None, :] == xp.take_along_axis(held, ours, axis=-1)[:, :, None]
        same = xp.reshape(held == xp.take_along_axis(held, one, axis=-1), (rows, num_packs, capacity))
        in_theirs = _each_slot(lib, xp.any(same, axis=-1), capacity)
        parts = ~in_theirs & (~xp.any(in_ours, axis=1) | doubled)

        less = xp.take_along_axis(slot_load, one, axis=-1) - slot_load
        ours_after = xp.take_along_axis(pack_load, one // capacity, axis=-1) - less
        theirs_after = _each_slot(lib, pack_load, capacity) + less
        busier = xp.where(parts, xp.maximum(ours_after, theirs_after), float("inf"))
        other = xp.argmin(busier, axis=-1, keepdims=True)

        wanted = xp.any(doubled, axis=-1, keepdims=True)
        parted = swap(lib, Packed(item, pack_load), load, (one, other), wanted)
        return _Parting(*parted, _doubled(lib, parted, expert))

    return lib.while_loop(unfinished, part_one, _Parting(*packs, _doubled(lib, packs, expert))).item


def _doubled(lib: Standard, packs: Packed, expert: Array) -> Array:
    """Whether each slot's expert is in a slot before it of the same GPU: [rows, items]."""
    xp = lib.xp
    rows, items = packs.item.shape
    num_packs = packs.pack_load.shape[-1]
    capacity = items // num_packs
    held = xp.reshape(xp.take_along_axis(expert, packs.item, axis=-1), (rows, num_packs, capacity))
    place = lib.arange(capacity, expert)
    before = (place[None, :] < place[:, None])[None, None, :, :]
    again = before & (held[:, :, None, :] == held[:, :, :, None])
    return xp.reshape(xp.any(again, axis=-1), (rows, items))


def _each_slot(lib: Standard, x: Array, capacity: int) -> Array:
    """What each slot's pack has: [rows, packs] to [rows, items]."""
    rows, packs = x.shape
    return lib.xp.reshape(lib.xp.broadcast_to(x[:, :, None], (rows, packs, capacity)), (rows, packs * capacity))
