"""Which pack each item goes to, every pack getting the same number of items.

EPLB packs item by item, heaviest first, each into the lightest pack that is not full. The rounds
here give the same packs, bit for bit, and place many items at once. A round takes the longer of
two prefixes of the items that are left:

- spread: one item to each pack, lightest pack first, for as long as the next pack is lighter than
  every pack that this round has already added to and that is still open;
- pile: several items in a row onto the lightest pack, for as long as it stays the lightest.

Items without load change no pack's load, so they fill the free slots, lightest pack first, in one
step at the end.
"""

from typing import NamedTuple

from eplb_xp.algorithms.rows import count, heaviest_first, inverse
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

LONGEST_PILE = 8


class _Packs(NamedTuple):
    item: Array  # [rows, packs, capacity] the item in each slot, items numbered heaviest first
    load: Array  # [rows, packs]
    count: Array  # [rows, packs] items in the pack
    placed: Array  # [rows, 1] items in all packs


class _Front(NamedTuple):
    """What a round looks at: the next items, and the packs, lightest first and full ones last."""

    item: Array  # [rows, items] loads of the next items, as many as a round may place
    load: Array  # [rows, packs] infinite where a pack is full
    free: Array  # [rows, packs] free slots


class _Prefix(NamedTuple):
    length: Array  # [rows, 1] items that may be placed at once
    load: Array  # [rows, packs or items] what each of them makes the load of its pack


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
    order = heaviest_first(lib, key)
    sorted_load = xp.take_along_axis(load, order, axis=-1)
    loaded = count(lib, load > 0.0)

    def unfinished(packs: _Packs) -> Array:
        return xp.any(packs.placed < loaded)

    def place(packs: _Packs) -> _Packs:
        return _round(lib, sorted_load, packs)

    empty = xp.zeros_like(sorted_load[:, :num_packs])
    nothing = xp.zeros_like(order)
    packs = _Packs(
        xp.reshape(nothing, (rows, num_packs, items // num_packs)),
        empty,
        xp.zeros_like(order[:, :num_packs]),
        xp.zeros_like(loaded),
    )
    packs = _fill_up(lib, lib.while_loop(unfinished, place, packs))
    return xp.take_along_axis(order, xp.reshape(packs.item, (rows, items)), axis=-1)


def _round(lib: Standard, sorted_load: Array, packs: _Packs) -> _Packs:
    """Place the longer prefix."""
    xp = lib.xp
    lightest = _lightest_first(lib, packs)
    position = inverse(lib, lightest)
    front = _Front(
        _next_items(lib, sorted_load, packs.placed, max(LONGEST_PILE, lightest.shape[-1])),
        xp.take_along_axis(_open_load(lib, packs), lightest, axis=-1),
        packs.item.shape[-1] - xp.take_along_axis(packs.count, lightest, axis=-1),
    )
    spread = _spread(lib, front)
    pile = _pile(lib, front)
    piled = pile.length > spread.length

    number = xp.where(
        piled,
        xp.where(position == 0, pile.length, 0),
        xp.astype(position < spread.length, lib.index_dtype),
    )
    pile_load = xp.take_along_axis(pile.load, xp.clip(pile.length - 1, 0, None), axis=-1)
    spread_load = xp.take_along_axis(spread.load, position, axis=-1)
    load = xp.where(number > 0, xp.where(piled, pile_load, spread_load), packs.load)
    return _put(lib, packs, position, number, load)


def _spread(lib: Standard, front: _Front) -> _Prefix:
    """One item to each pack, lightest first.

    Item k belongs to pack k as long as that pack is strictly lighter than the packs before it have
    become (those now full left out): on equality their numbers would decide, which the next round
    sees to. The condition can only fail once along the row, so the length is a sum.
    """
    xp = lib.xp
    load = front.load + front.item[:, : front.load.shape[-1]]
    still_open = xp.where(front.free > 1, load, float("inf"))
    infinite = xp.full_like(load[:, :1], float("inf"))
    rival = xp.concat([infinite, lib.running_minimum(still_open)[:, :-1]], axis=-1)
    return _Prefix(count(lib, front.load < rival), load)


def _pile(lib: Standard, front: _Front) -> _Prefix:
    """Several items in a row onto the lightest pack, while it is strictly lighter than the second."""
    xp = lib.xp
    first = front.load[:, :1]
    second = xp.concat([front.load, xp.full_like(first, float("inf"))], axis=-1)[:, 1:2]
    totals = [first]
    for item in range(LONGEST_PILE):
        totals.append(totals[-1] + front.item[:, item : item + 1])
    number = lib.arange(LONGEST_PILE, first)[None, :]
    still_lightest = (xp.concat(totals[:-1], axis=-1) < second) | (number == 0)
    valid = still_lightest & (number < front.free[:, :1])
    return _Prefix(count(lib, valid), xp.concat(totals[1:], axis=-1))


def _fill_up(lib: Standard, packs: _Packs) -> _Packs:
    """Items without load into the free slots, lightest pack first."""
    xp = lib.xp
    lightest = _lightest_first(lib, packs)
    free = packs.item.shape[-1] - packs.count
    sorted_free = xp.take_along_axis(free, lightest, axis=-1)
    start = xp.cumulative_sum(sorted_free, axis=-1, dtype=lib.index_dtype) - sorted_free
    first = xp.take_along_axis(start, inverse(lib, lightest), axis=-1)
    return _put(lib, packs, first, free, packs.load)


def _put(lib: Standard, packs: _Packs, first: Array, number: Array, load: Array) -> _Packs:
    """Put the next items into the packs: ``number`` from the ``first`` on that is still to be placed."""
    xp = lib.xp
    rank = lib.arange_like(packs.item)
    item = (packs.placed + first - packs.count)[:, :, None] + rank
    start, end = packs.count[:, :, None], (packs.count + number)[:, :, None]
    return _Packs(
        xp.where((rank >= start) & (rank < end), item, packs.item),
        load,
        packs.count + number,
        packs.placed + xp.sum(number, axis=-1, keepdims=True, dtype=lib.index_dtype),
    )


def _next_items(lib: Standard, sorted_load: Array, placed: Array, number: int) -> Array:
    """Loads of the next items; past the end the last one is repeated, for which no slot is free."""
    xp = lib.xp
    index = xp.clip(placed + lib.arange(number, sorted_load)[None, :], None, sorted_load.shape[-1] - 1)
    return xp.take_along_axis(sorted_load, index, axis=-1)


def _open_load(lib: Standard, packs: _Packs) -> Array:
    """Loads of the packs, infinite where one is full."""
    return lib.xp.where(packs.count < packs.item.shape[-1], packs.load, float("inf"))


def _lightest_first(lib: Standard, packs: _Packs) -> Array:
    """The packs, lightest first, full ones last; among equals by number."""
    return lib.xp.argsort(_open_load(lib, packs), axis=-1, stable=True)
