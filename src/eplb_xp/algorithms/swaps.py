"""Swaps of two items between packs; the state that they change, and how good each would be."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import slot_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Items(NamedTuple):
    """What is packed."""

    load: Array  # [rows, items]
    expert: Array | None  # [rows, items] of which a pack must not get two of one; none where that doesn't matter


class Packed(NamedTuple):
    """Which item is in which slot, slot = pack * capacity + rank."""

    item: Array  # [rows, items] the item in each slot
    pack_load: Array  # [rows, packs]


def packed(lib: Standard, item: Array, load: Array, num_packs: int) -> Packed:
    """These items in the slots, and the loads of the packs, added up in slot order."""
    rows, items = item.shape
    slot_load = lib.xp.take_along_axis(load, item, axis=-1)
    return Packed(item, slot_sum(lib, lib.xp.reshape(slot_load, (rows, num_packs, items // num_packs))))


def swap(lib: Standard, packs: Packed, load: Array, slots: tuple[Array, Array], wanted: Array) -> Packed:
    """Swap the items in two slots of different packs, in the rows where that is wanted: [rows, 1] each."""
    xp = lib.xp
    item, pack_load = packs
    one, other = slots
    capacity = item.shape[-1] // pack_load.shape[-1]
    item_of_one = xp.take_along_axis(item, one, axis=-1)
    item_of_other = xp.take_along_axis(item, other, axis=-1)
    less = xp.take_along_axis(load, item_of_one, axis=-1) - xp.take_along_axis(load, item_of_other, axis=-1)
    slot, pack = lib.arange_like(item), lib.arange_like(pack_load)
    item = xp.where(wanted & (slot == one), item_of_other, xp.where(wanted & (slot == other), item_of_one, item))
    lighter, heavier = wanted & (pack == one // capacity), wanted & (pack == other // capacity)
    return Packed(item, xp.where(lighter, pack_load - less, xp.where(heavier, pack_load + less, pack_load)))
