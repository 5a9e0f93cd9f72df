"""Which pack each item goes to, every pack getting the same number of items.

EPLB packs item by item, heaviest first, each into the lightest pack that is not full. The rounds
here give the same packs, bit for bit, and place many items at once. A round takes one of two prefixes
of the items that are left, whichever is longer; only one of them can be longer than one item:

- spread: one item to each pack, lightest pack first, for as long as the next pack is lighter than
  every pack that this round has already added to and that is still open;
- pile: several items in a row onto the lightest pack, for as long as it stays the lightest.

The first round gives every pack an item, whatever the loads. Items without load change no pack's
load, so they fill the free slots, lightest pack first, in one step at the end.

The packs stand lightest first, so that a round looks nothing up but its items: one sort brings
them back into order. A pack has more cells than slots; the first after the slots takes the items
that a round looks at and does not place.
"""

from typing import NamedTuple

from eplb_xp.algorithms.rows import count
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

LONGEST_PILE = 8


class _Packs(NamedTuple):
    """The packs, lightest first, among equals by number, full ones last."""

    load: Array  # [rows, packs] infinite where a pack is full
    cell: Array  # [rows, packs] the next free one: number * cells of a pack + items in the pack
    item: Array  # [rows, packs * cells] the item in each cell, in the order of numbers
    placed: Array  # [rows, 1] items in all packs


class _Filling(NamedTuple):
    """What changes when free slots are filled up."""

    item: Array
    placed: Array


def pack(lib: Standard, load: Array, num_packs: int, *, key: Array) -> Array:
    """Pack items by load, those with the largest key first; the result is a permutation of each row.

    The keys of items without load are the smallest. Entry ``p * capacity + r`` is the item at rank r
    of pack p, capacity = items / packs. With one item a pack nothing is sorted and every item keeps
    its place, as in EPLB.
    """
    xp = lib.xp
    rows, items = load.shape
    if items <= num_packs:
        return lib.arange_like(load)
    capacity = items // num_packs
    sorted_key, order = lib.sort_rows(key, lib.arange_like(key), descending=True)
    sorted_load = sorted_key if key is load else lib.take_along_axis(load, order)
    loaded = count(lib, load > 0.0)
    # A round may look past the last item, for which no slot is free: what it sees there doesn't matter.
    window = min(max(num_packs, LONGEST_PILE), items)
    ahead = xp.concat([sorted_load, sorted_load[:, :window]], axis=-1)

    def unfinished(packs: _Packs) -> Array:
        return xp.any(packs.placed < loaded)

    def place(packs: _Packs) -> _Packs:
        return _round(lib, ahead, capacity, packs)

    packs = lib.while_loop(unfinished, place, _first_items(lib, sorted_load, loaded, num_packs))

    def idle_left(filling: _Filling) -> Array:
        return xp.any(filling.placed < items)

    def fill_up(filling: _Filling) -> _Filling:
        return _fill_up(lib, packs.cell, filling, capacity)

    # Once, or not at all.
    filled = lib.while_loop(idle_left, fill_up, _Filling(packs.item, packs.placed))
    item = xp.reshape(filled.item, (rows, num_packs, _cells(capacity)))[:, :, :capacity]
    return lib.take_along_axis(order, xp.reshape(item, (rows, items)))


def _first_items(lib: Standard, sorted_load: Array, loaded: Array, num_packs: int) -> _Packs:
    """The packs with an item each, as far as there are items with load: the first round of all."""
    xp = lib.xp
    rows, items = sorted_load.shape
    cells = _cells(items // num_packs)
    number = lib.arange(num_packs, sorted_load)[None, :]
    has_one = number < loaded
    load, cell = lib.sort_rows(
        xp.where(has_one, sorted_load[:, :num_packs], 0.0), xp.where(has_one, number * cells + 1, number * cells)
    )
    of_cell = xp.broadcast_to(lib.arange(num_packs * cells, sorted_load)[None, :], (rows, num_packs * cells))
    return _Packs(load, cell, of_cell // cells, xp.where(loaded < num_packs, loaded, num_packs))


def _round(lib: Standard, ahead: Array, capacity: int, packs: _Packs) -> _Packs:
    """Place the longer prefix."""
    xp = lib.xp
    num_packs = packs.cell.shape[-1]
    number = lib.arange(ahead.shape[-1] - num_packs * capacity, ahead)[None, :]
    item = packs.placed + number
    item_load = lib.take_along_axis(ahead, item)
    free = _free(packs.cell, capacity)

    load, spread = _spread(lib, packs.load, item_load, free)
    spread_length = count(lib, spread)
    pile_load, more = _pile(lib, packs.load, item_load, free)
    piled = more > 0  # then the spread is one item, on the same pack
    load = xp.where(spread, xp.where(piled, pile_load, load), packs.load)
    length = xp.where(piled, more + 1, 1)
    load, cell = lib.sort_rows(load, packs.cell + xp.where(spread, length, 0))
    return _Packs(
        load,
        cell,
        _write(lib, packs, item, free, piled),
        packs.placed + xp.where(piled, length, spread_length),
    )


def _spread(lib: Standard, load: Array, item_load: Array, free: Array) -> tuple[Array, Array]:
    """One item to each pack: the loads of the packs then, and which of them may get theirs.

    A pack may as long as it is strictly lighter than those before it have become (the ones now full
    left out): on equality their numbers would decide, which the next round sees to. Where one may
    not, none after it may.
    """
    xp = lib.xp
    after = xp.where(free > 1, load + item_load[:, : load.shape[-1]], float("inf"))
    lighter = load[:, 1:] < lib.running_minimum(after)[:, :-1]
    return after, xp.concat([free[:, :1] > 0, lighter], axis=-1)


def _pile(lib: Standard, load: Array, item_load: Array, free: Array) -> tuple[Array, Array]:
    """Items onto the lightest pack: its load then, and how many more than one it may get: [rows, 1].

    It may get another while it is strictly lighter than the second. Where all are full, it is one less.
    """
    xp = lib.xp
    longest = min(LONGEST_PILE, item_load.shape[-1])
    after = lib.running_sum(xp.concat([load[:, :1], item_load[:, :longest]], axis=-1))
    second = load[:, 1:2] if load.shape[-1] > 1 else float("inf")
    more = xp.minimum(count(lib, after[:, 1:-1] < second), free[:, :1] - 1)
    return xp.where(more + 1 < free[:, :1], lib.take_along_axis(after, more + 1), float("inf")), more


def _write(lib: Standard, packs: _Packs, item: Array, free: Array, piled: Array) -> Array:
    """Each item to the next cell of its pack; what is not placed is written over later, or nobody's."""
    xp = lib.xp
    rows, num_packs = packs.cell.shape
    window = item.shape[-1]
    pile = packs.cell[:, :1] + xp.minimum(lib.arange(window, item)[None, :], free[:, :1])
    spread = packs.cell
    if window > num_packs:
        spread = xp.concat([spread, xp.broadcast_to(pile[:, -1:], (rows, window - num_packs))], axis=-1)
    return lib.put_along_axis(packs.item, xp.where(piled, pile, spread), item)


def _fill_up(lib: Standard, cell: Array, filling: _Filling, capacity: int) -> _Filling:
    """Items without load into the free slots, lightest pack first."""
    xp = lib.xp
    rows, num_packs = cell.shape
    cells = _cells(capacity)
    free = _free(cell, capacity)
    used = capacity - free
    start = filling.placed + xp.cumulative_sum(free, axis=-1, dtype=lib.index_dtype) - capacity
    used, start = (lib.put_along_axis(x, cell // cells, x)[:, :, None] for x in (used, start))
    rank = lib.arange(cells, cell)[None, None, :]
    item = xp.reshape(filling.item, (rows, num_packs, cells))
    item = xp.where(rank < used, item, start + rank)
    return _Filling(xp.reshape(item, (rows, num_packs * cells)), xp.full_like(filling.placed, num_packs * capacity))


def _cells(capacity: int) -> int:
    """Cells of a pack: a power of two above its slots, which is quick to divide by."""
    return 1 << capacity.bit_length()


def _free(cell: Array, capacity: int) -> Array:
    """Free slots of the packs with these next cells: [rows, packs]."""
    return capacity - (cell & (_cells(capacity) - 1))
