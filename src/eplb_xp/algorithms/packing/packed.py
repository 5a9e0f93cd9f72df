"""What is packed, and a packing of it."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import slot_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Items(NamedTuple):
    """What is packed."""

    load: Array  # [rows, items]
    expert: Array  # [rows, items] of which a pack must not get two of one


class Packed(NamedTuple):
    """Which item is in which slot, slot = pack * capacity + rank."""

    item: Array  # [rows, items] the item in each slot
    pack_load: Array  # [rows, packs]


def packed(lib: Standard, item: Array, load: Array, num_packs: int) -> Packed:
    """These items in the slots, and the loads of the packs, added up in slot order."""
    rows, items = item.shape
    slot_load = lib.take_along_axis(load, item)
    return Packed(item, slot_sum(lib, lib.xp.reshape(slot_load, (rows, num_packs, items // num_packs))))
