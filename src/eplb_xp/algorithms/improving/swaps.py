"""Swaps of items between packs, one or two at once."""

from typing import NamedTuple

from eplb_xp.algorithms.improving.table import Table
from eplb_xp.algorithms.rows import slot_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class TwoSwaps(NamedTuple):
    """Two swaps, one after the other, and what they do for the busiest pack."""

    first: tuple[Array, Array]  # places, [rows, 1] each
    second: tuple[Array, Array]
    less: Array  # [rows, 1] load of the busiest pack beyond that of the busiest of all these packs after them


def swap(lib: Standard, table: Table, places: tuple[Array, Array], wanted: Array) -> Table:
    """Swap the items in two places of different packs, in the rows where that is wanted: [rows, 1] each."""
    xp = lib.xp
    num_packs = table.pack_load.shape[-1]
    there, back = xp.concat(places, axis=-1), xp.concat(places[::-1], axis=-1)
    source = xp.where(wanted, back, there)
    item, load, expert = (
        lib.put_along_axis(x, there, lib.take_along_axis(x, source)) for x in (table.item, table.load, table.expert)
    )
    before = lib.take_along_axis(table.load, there)
    less = before[:, :1] - before[:, 1:]
    pack = there % num_packs
    pack_load = lib.take_along_axis(table.pack_load, pack)
    after = xp.concat([pack_load[:, :1] - less, pack_load[:, 1:] + less], axis=-1)
    pack_load = lib.put_along_axis(table.pack_load, pack, xp.where(wanted, after, pack_load))
    return Table(item, load, expert, pack_load)


def swap_twice(
    lib: Standard, table: Table, first: tuple[Array, ...], second: tuple[Array, ...], wanted: Array
) -> Table:
    """Two swaps of four different places, or twice the same swap, in the rows where that is wanted.

    The loads of their packs are added up anew, in slot order.
    """
    xp = lib.xp
    num_packs = table.pack_load.shape[-1]
    there, back = xp.concat([*first, *second], axis=-1), xp.concat([*first[::-1], *second[::-1]], axis=-1)
    source = xp.where(wanted, back, there)
    item, load, expert = (
        lib.put_along_axis(x, there, lib.take_along_axis(x, source)) for x in (table.item, table.load, table.expert)
    )
    pack = there % num_packs
    rows, packs = pack.shape
    capacity = item.shape[-1] // num_packs
    places = pack[:, :, None] + lib.arange(capacity, pack)[None, None, :] * num_packs
    slot_load = lib.take_along_axis(load, xp.reshape(places, (rows, packs * capacity)))
    after = slot_sum(lib, xp.reshape(slot_load, (rows, packs, capacity)))
    before = lib.take_along_axis(table.pack_load, pack)
    pack_load = lib.put_along_axis(table.pack_load, pack, xp.where(wanted, after, before))
    return Table(item, load, expert, pack_load)
