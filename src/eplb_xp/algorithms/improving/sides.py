"""Packs that replicas go between: what a search for swaps looks at."""

from typing import NamedTuple

from eplb_xp.algorithms.improving.table import Table
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Side(NamedTuple):
    """Some packs of each row: one, several, or all."""

    pack: Array  # [rows, packs] their numbers
    load: Array  # [rows, capacity, packs] of the items
    expert: Array  # [rows, capacity, packs]
    pack_load: Array  # [rows, packs]


def busiest_pack(lib: Standard, now: Table) -> Side:
    """The busiest pack of each row, the first of equal ones."""
    return some_packs(lib, now, lib.argmin(-now.pack_load))


def lightest_packs(lib: Standard, now: Table, number: int) -> Side:
    """The lightest packs of each row, lightest first, among equals by number."""
    load = lib.xp.where(now.pack_load > 0.0, now.pack_load, 0.0)  # swaps may leave a rounding error below zero
    _, pack = lib.sort_rows(load, lib.arange_like(load))
    return some_packs(lib, now, pack[:, :number])


def all_packs(lib: Standard, now: Table) -> Side:
    """All packs of each row."""
    rows, num_packs = now.pack_load.shape
    capacity = now.item.shape[-1] // num_packs
    load, expert = (lib.xp.reshape(x, (rows, capacity, num_packs)) for x in (now.load, now.expert))
    return Side(lib.arange_like(now.pack_load), load, expert, now.pack_load)


def some_packs(lib: Standard, now: Table, pack: Array) -> Side:
    """The packs of these numbers: [rows, packs]."""
    rows, num_packs = now.pack_load.shape
    shape = (rows, now.item.shape[-1] // num_packs, pack.shape[-1])
    places = lib.arange(shape[1], pack)[None, :, None] * num_packs + pack[:, None, :]
    places = lib.xp.reshape(places, (rows, shape[1] * shape[2]))
    load, expert = (lib.xp.reshape(lib.take_along_axis(x, places), shape) for x in (now.load, now.expert))
    return Side(pack, load, expert, lib.take_along_axis(now.pack_load, pack))


def place(lib: Standard, side: Side, entry: Array, num_packs: int) -> Array:
    """The place in the table of an entry [rows, 1] of a side, rank * packs of the side + pack."""
    width = side.pack.shape[-1]
    return entry // width * num_packs + lib.take_along_axis(side.pack, entry % width)


def holds(lib: Standard, expert: Array, of: Array) -> Array:
    """Whether a pack holds each expert: [rows, experts, packs], [rows, capacity, packs] -> [rows, experts, packs]."""

    def there(rank: int) -> Array:
        return expert == of[:, rank, :][:, None, :]

    def also(rank: int, before: Array) -> Array:
        return before | there(rank)

    return lib.fori_loop(1, of.shape[1], also, there(0))
