"""The slots of a packing as a table, which swaps look at and change."""

from typing import NamedTuple

from eplb_xp.algorithms.packing.packed import Items, Packed
from eplb_xp.algorithms.rows import choose, transposed
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Table(NamedTuple):
    """The slots as a table whose columns are packs, place = rank * packs + pack, with all that swaps look at.

    So what belongs to a pack goes along the last axis, which is long where packs are many.
    """

    item: Array  # [rows, places]
    load: Array  # [rows, places] of the item
    expert: Array  # [rows, places] of the item
    pack_load: Array  # [rows, packs]


def table(lib: Standard, packs: Packed, items: Items) -> Table:
    """The table of a packing."""
    num_packs = packs.pack_load.shape[-1]
    item = transposed(lib, packs.item, num_packs)
    return Table(item, lib.take_along_axis(items.load, item), lib.take_along_axis(items.expert, item), packs.pack_load)


def slots(lib: Standard, table: Table) -> Array:
    """The item in each slot: [rows, items]."""
    return transposed(lib, table.item, table.item.shape[-1] // table.pack_load.shape[-1])


def packed_again(lib: Standard, table: Table) -> Table:
    """The same with the loads of the packs added up in slot order, as the packing adds."""
    xp = lib.xp
    rows, num_packs = table.pack_load.shape
    by_rank = xp.reshape(table.load, (rows, table.load.shape[-1] // num_packs, num_packs))

    def add(rank: int, total: Array) -> Array:
        return total + by_rank[:, rank, :]

    return table._replace(pack_load=lib.fori_loop(1, by_rank.shape[1], add, by_rank[:, 0, :]))


def lower(lib: Standard, before: Table, after: Table) -> Table:
    """Of two tables that with the lower busiest pack.

    As slot-ordered sums have it, while swaps round in another order.
    """
    xp = lib.xp
    after = packed_again(lib, after)
    busiest, now_busiest = (xp.max(x.pack_load, axis=-1, keepdims=True) for x in (before, after))
    return choose(lib, now_busiest > busiest, before, after)


def column(lib: Standard, table: Table, pack: Array) -> Array:
    """The places of one pack of each row, [rows, 1]: [rows, capacity]."""
    num_packs = table.pack_load.shape[-1]
    capacity = table.item.shape[-1] // num_packs
    return pack + lib.arange(capacity, pack)[None, :] * num_packs
