"""Swaps of two items between packs, and the state that they change."""

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


class Table(NamedTuple):
    """The slots as a table whose columns are packs, place = rank * packs + pack, with all that swaps look at.

    So what belongs to a pack goes along the last axis, which is long where packs are many.
    """

    item: Array  # [rows, places]
    load: Array  # [rows, places] of the item
    expert: Array  # [rows, places] of the item
    pack_load: Array  # [rows, packs]


class TwoSwaps(NamedTuple):
    """Two swaps, one after the other, and what they do for the busiest pack."""

    first: tuple[Array, Array]  # places, [rows, 1] each
    second: tuple[Array, Array]
    less: Array  # [rows, 1] load of the busiest pack beyond that of the busiest of all these packs after them


def packed(lib: Standard, item: Array, load: Array, num_packs: int) -> Packed:
    """These items in the slots, and the loads of the packs, added up in slot order."""
    rows, items = item.shape
    slot_load = lib.take_along_axis(load, item)
    return Packed(item, slot_sum(lib, lib.xp.reshape(slot_load, (rows, num_packs, items // num_packs))))


def table(lib: Standard, packs: Packed, items: Items) -> Table:
    """The table of a packing."""
    num_packs = packs.pack_load.shape[-1]
    item = _transposed(lib, packs.item, num_packs)
    return Table(item, lib.take_along_axis(items.load, item), lib.take_along_axis(items.expert, item), packs.pack_load)


def slots(lib: Standard, table: Table) -> Array:
    """The item in each slot: [rows, items]."""
    return _transposed(lib, table.item, table.item.shape[-1] // table.pack_load.shape[-1])


def _transposed(lib: Standard, x: Array, columns: int) -> Array:
    """The rows of a table one after the other, from its columns one after the other."""
    xp = lib.xp
    rows, size = x.shape
    by_column = xp.reshape(x, (rows, columns, size // columns))
    return xp.reshape(xp.permute_dims(by_column, (0, 2, 1)), (rows, size))


def column(lib: Standard, table: Table, pack: Array) -> Array:
    """The places of one pack of each row, [rows, 1]: [rows, capacity]."""
    num_packs = table.pack_load.shape[-1]
    capacity = table.item.shape[-1] // num_packs
    return pack + lib.arange(capacity, pack)[None, :] * num_packs


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
