"""Counts and packing chosen together: candidates for the counts, packed, and the best of them refined.

All candidates are packed; those whose busiest pack is lightest are parted and swapped, and of these the
best see exchanges too. That is for rows where D'Hondt's counts have not led close enough to a bound: a few
of them at a time, until none is left.
"""

from typing import NamedTuple

from eplb_xp.algorithms.assignment import exchanged, swapped
from eplb_xp.algorithms.counts.levels import Shape, candidates
from eplb_xp.algorithms.counts.spares import Spares
from eplb_xp.algorithms.improving.parting import part
from eplb_xp.algorithms.packing.heaviest_first import pack
from eplb_xp.algorithms.packing.packed import Items, Packed, packed
from eplb_xp.algorithms.rows import for_each, inverse, tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class Placed(NamedTuple):
    """The expert in each slot, and how many replicas each has."""

    expert: Array  # [rows, slots]
    count: Array  # [rows, experts]


class _Trying(NamedTuple):
    """What changes when candidates are tried."""

    expert: Array
    count: Array
    open: Array  # [rows, 1] whether candidates are to be tried


class _Tried(NamedTuple):
    """Some candidates of each row, one after the other."""

    items: Items
    packs: Packed
    count: Array


def better_placed(
    lib: Standard, load: Array, spares: Spares, placed: Placed, *, num_packs: int, most: int, policy: Policy
) -> Placed:
    """What was placed with D'Hondt's spares, or the best candidate where its busiest pack is lighter.

    No expert gets more than ``most`` replicas.
    """
    xp = lib.xp
    num_spares = spares.expert.shape[-1]
    shape = Shape(num_packs, min(policy.levels, num_spares), most)
    if shape.num_levels == 0:
        return placed
    share = lib.divide(load, xp.astype(placed.count, xp.float32))
    busiest = _busiest(lib, packed(lib, placed.expert, share, num_packs))
    close = 1.0 + policy.tolerance
    above_largest = busiest > xp.max(share, axis=-1, keepdims=True) * close
    above_mean = busiest * num_packs > tree_sum(lib, load)[:, None] * close
    rows, slots = placed.expert.shape
    at_once = min(max(lib.slots_at_once // (2 * shape.num_levels * slots), 1), rows)

    def any_open(trying: _Trying) -> Array:
        return xp.any(trying.open)

    def try_some(trying: _Trying) -> _Trying:
        _, open_first = lib.sort_rows(
            xp.where(trying.open, xp.zeros_like(busiest), 1.0)[None, :, 0], lib.arange(rows, load)[None, :]
        )
        row, place = open_first[0, :at_once], inverse(lib, open_first)[0, :]
        is_open, its_load, its_busiest = (xp.take(x, row, axis=0) for x in (trying.open, load, busiest))
        its_spares = Spares(*(xp.take(x, row, axis=0) for x in spares))
        # Closed rows get no load, so that no loop runs for them.
        best = _best_candidate(lib, xp.where(is_open, its_load, 0.0), its_spares, is_open, shape=shape, policy=policy)
        expert = lib.take_along_axis(best.items.expert, best.packs.item)
        lighter = is_open & (_busiest(lib, best.packs) < its_busiest)

        tried = (place < at_once)[:, None]
        place = xp.where(place < at_once, place, 0)
        expert, count, lighter = (xp.take(x, place, axis=0) for x in (expert, best.count, lighter))
        better = tried & lighter
        return _Trying(
            xp.where(better, expert, trying.expert), xp.where(better, count, trying.count), trying.open & ~tried
        )

    start = _Trying(placed.expert, placed.count, above_largest & above_mean)
    expert, count, _ = lib.while_loop(any_open, try_some, start)
    return Placed(expert, count)


def _best_candidate(
    lib: Standard, load: Array, spares: Spares, open_: Array, *, shape: Shape, policy: Policy
) -> _Tried:
    """All are packed, some swapped, few exchanged, and one is left."""
    xp = lib.xp
    num_packs, number = shape.num_packs, 2 * shape.num_levels
    found = candidates(lib, load, spares, shape)
    share = lib.divide(for_each(lib, load, number), xp.astype(found.count, xp.float32))
    load = xp.concat([share, lib.take_along_axis(share, found.spare)], axis=-1)
    expert = xp.concat([lib.arange_like(share), found.spare], axis=-1)
    items = Items(load, xp.where(for_each(lib, open_, number), expert, lib.arange_like(expert)))
    packs = packed(lib, pack(lib, items.load, num_packs, key=items.load), items.load, num_packs)
    tried = _Tried(items, packs, found.count)
    tried = _lightest(lib, tried, xp.where(found.new, _by_row(lib, packs, number), float("inf")), policy.refined)

    packs = packed(lib, part(lib, tried.packs, tried.items), tried.items.load, num_packs)
    packs = swapped(lib, packs, tried.items, policy, rounds=policy.rounds + policy.finish)
    number = min(number, policy.refined)
    tried = _lightest(lib, tried._replace(packs=packs), _by_row(lib, packs, number), policy.finalists)

    packs = exchanged(lib, tried.packs, tried.items, policy)
    number = min(number, policy.finalists)
    return _lightest(lib, tried._replace(packs=packs), _by_row(lib, packs, number), 1)


def _busiest(lib: Standard, packs: Packed) -> Array:
    """The load of the busiest pack: [rows, 1]."""
    return lib.xp.max(packs.pack_load, axis=-1, keepdims=True)


def _by_row(lib: Standard, packs: Packed, number: int) -> Array:
    """The loads of the busiest packs, those of the candidates of a row in one: [rows, candidates]."""
    return lib.xp.reshape(_busiest(lib, packs), (packs.item.shape[0] // number, number))


def _lightest(lib: Standard, tried: _Tried, busiest: Array, number: int) -> _Tried:
    """Of each row's candidates so many whose busiest packs [rows, candidates] are lightest."""
    xp = lib.xp
    rows, candidates = busiest.shape
    number = min(number, candidates)
    _, chosen = lib.sort_rows(busiest, lib.arange_like(busiest))
    chosen = xp.reshape(chosen[:, :number] + lib.arange(rows, busiest)[:, None] * candidates, (rows * number,))

    def of_chosen(x: Array) -> Array:
        return xp.take(x, chosen, axis=0)

    (load, expert), (item, pack_load), count = tried
    return _Tried(
        Items(of_chosen(load), of_chosen(expert)), Packed(of_chosen(item), of_chosen(pack_load)), of_chosen(count)
    )
