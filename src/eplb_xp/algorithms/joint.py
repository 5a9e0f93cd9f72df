"""Counts and packing chosen together: candidates for the counts are packed, and the best of them improved.

What is placed already comes first, to be improved as candidates are; then candidates for the rows that are not close
to a bound, in one generation or several. Both take the same lanes, so that one loop does for all: some rows at
a time, the first of those whose turn it is. A row's result does not depend on the others beside it.
"""

from typing import NamedTuple

from eplb_xp.algorithms.counts.candidates import Candidates, are_new, fingerprints
from eplb_xp.algorithms.counts.levels import levels
from eplb_xp.algorithms.counts.offspring import Parents, offspring
from eplb_xp.algorithms.counts.spares import Spares
from eplb_xp.algorithms.rows import choose, for_each, inverse, take_rows, tree_sum
from eplb_xp.algorithms.trying.family import Family, founded, grown
from eplb_xp.algorithms.trying.lanes import improved, packed_candidates
from eplb_xp.algorithms.trying.shape import Shape
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class Placed(NamedTuple):
    """The expert in each slot, and how many replicas each has."""

    expert: Array  # [rows, slots]
    count: Array  # [rows, experts]


class _Search(NamedTuple):
    """What changes while candidates are tried."""

    placed: Placed  # the best so far
    busiest: Array  # [rows, 1] the load of its busiest pack
    turn: Array  # [rows, 1] generation to come; 0 is D'Hondt's counts
    family: Family


class _Queue(NamedTuple):
    """Whose turn it is."""

    first: Array  # whether it is that of D'Hondt's counts: a lane for each row; else some rows have all lanes
    wanted: Array  # [rows, 1]
    order: Array  # [rows] numbers of the rows, those that are wanted first
    place: Array  # [rows] of each row among them


class _Tried(NamedTuple):
    """Candidates in turn."""

    found: Candidates
    marks: Array  # [rows in turn, candidates of each] fingerprints
    is_new: Array  # [candidates, 1]
    load: Array  # [candidates, experts] of their rows, none where they are not new


# Fewer slots at once than these take as long as these.
FEWEST_AT_ONCE = 2**14


def placed_jointly(lib: Standard, load: Array, spares: Spares, *, shape: Shape, policy: Policy) -> Placed:
    """D'Hondt's counts, packed and improved, or the best candidate where its busiest pack is lighter."""
    xp = lib.xp
    rows, experts = load.shape
    unplaced = Placed(xp.concat([lib.arange_like(load), spares.expert], axis=-1), spares.count)
    if rows == 0:
        return unplaced
    at_once = _rows_at_once(lib, rows, experts + spares.expert.shape[-1], shape)
    lanes = at_once * shape.refined
    share = lib.divide(load, xp.astype(spares.count, xp.float32))
    largest, total = xp.max(share, axis=-1, keepdims=True), tree_sum(lib, load)[:, None]
    close = 1.0 + policy.tolerance

    def next_turn(turn: Array, busiest: Array) -> Array:
        """The end where a bound is reached."""
        is_open = (busiest > largest * close) & (busiest * shape.num_packs > total * close)
        return xp.where(is_open, turn + 1, shape.end)

    def unfinished(search: _Search) -> Array:
        return xp.any(search.turn < shape.end)

    def try_some(search: _Search) -> _Search:
        queue = _queue(lib, search.turn, shape)
        tried = _in_turn(lib, load, spares, search, queue, at_once=at_once, shape=shape)
        packs = packed_candidates(lib, tried.load, tried.found, tried.is_new, shape)

        # Those to improve, and of these the best of each row.
        high = xp.where(tried.is_new, packs.busiest(lib), float("inf"))
        lane = xp.reshape(_lightest(lib, high, at_once)[:, : shape.refined], (lanes,))
        lane = xp.where(queue.first, lib.arange(lanes, load), lane)
        packs, found = take_rows(lib, packs, lane), take_rows(lib, tried.found, lane)
        is_new = take_rows(lib, tried.is_new, lane)
        goes_on = is_new & ~queue.first if shape.alike else is_new
        packs = improved(lib, packs, xp.astype(goes_on, lib.index_dtype) * shape.finish, policy)
        high = xp.where(is_new, packs.busiest(lib), float("inf"))
        ranked = _lightest(lib, high, at_once)

        in_turn = xp.where(queue.place < at_once, queue.place, 0)
        best = lib.take(ranked[:, 0], in_turn, axis=0)
        best = xp.where(queue.first, xp.where(queue.place < lanes, queue.place, 0), best)
        is_tried = queue.wanted & _have_turn(queue, queue.place, at_once, lanes)[:, None]
        better = is_tried & (take_rows(lib, high, best) < search.busiest)
        busiest = xp.where(better, take_rows(lib, high, best), search.busiest)
        placed = Placed(take_rows(lib, packs.expert(lib), best), take_rows(lib, found.count, best))
        family = search.family
        if shape.generations > 1:
            marks = xp.reshape(lib.take(xp.reshape(tried.marks, (-1,)), lane, axis=0), (at_once, shape.refined))
            born = take_rows(lib, Family(marks, _parents(lib, found, high, ranked, shape)), in_turn)
            family = grown(lib, family, born, search.turn, is_tried & ~queue.first)
        turn = xp.where(is_tried, next_turn(search.turn, busiest), search.turn)
        return _Search(choose(lib, better, placed, search.placed), busiest, turn, family)

    turn = xp.zeros_like(spares.count[:, :1])
    start = _Search(unplaced, xp.full_like(total, float("inf")), turn, founded(lib, spares, shape))
    return lib.while_loop(unfinished, try_some, start).placed


def _rows_at_once(lib: Standard, rows: int, slots: int, shape: Shape) -> int:
    """How many rows have all their candidates tried at once: about as many lanes as there are rows, or equal parts."""
    at_once = min(max(-(-rows // shape.refined), FEWEST_AT_ONCE // (shape.refined * slots)), rows)
    at_once = max(min(lib.slots_at_once // (shape.candidates * slots), at_once), 1)
    return -(-rows // -(-rows // at_once))


def _queue(lib: Standard, turn: Array, shape: Shape) -> _Queue:
    """First the turn of D'Hondt's counts, in all rows."""
    xp = lib.xp
    first = xp.any(turn == 0)
    wanted = xp.where(first, turn == 0, turn < shape.end)
    key = xp.where(wanted, xp.zeros_like(turn, dtype=xp.float32), 1.0)[None, :, 0]
    _, order = lib.sort_rows(key, lib.arange_like(key))
    return _Queue(first, wanted, order[0, :], inverse(lib, order)[0, :])


def _have_turn(queue: _Queue, place: Array, at_once: int, lanes: int) -> Array:
    """Whether who has these places is in turn."""
    return (place < at_once) | (queue.first & (place < lanes))


def _in_turn(
    lib: Standard, load: Array, spares: Spares, search: _Search, queue: _Queue, *, at_once: int, shape: Shape
) -> _Tried:
    """D'Hondt's counts of many rows, or all candidates of some."""
    xp = lib.xp
    rows, number = load.shape[0], shape.candidates
    entry = lib.arange(at_once * number, load)
    place = xp.where(queue.first, entry, entry // number)
    is_there = _have_turn(queue, place, at_once, min(at_once * shape.refined, rows))
    row = lib.take(queue.order, xp.where(is_there, place, 0), axis=0)

    some = queue.order[:at_once]
    family, its_spares = take_rows(lib, search.family, some), take_rows(lib, spares, some)
    turn, its_load = (take_rows(lib, x, some) for x in (search.turn, load))
    found = _candidates(lib, its_load, its_spares, family, turn, shape=shape)
    marks = xp.reshape(fingerprints(lib, found.count), (at_once, number))
    is_new = queue.first | xp.reshape(are_new(lib, marks, family.seen), (at_once * number, 1))
    is_new = is_new & is_there[:, None] & take_rows(lib, queue.wanted, row)
    found = choose(lib, queue.first, take_rows(lib, Candidates(spares.expert, spares.count), row), found)
    return _Tried(found, marks, is_new, xp.where(is_new, take_rows(lib, load, row), 0.0))


def _candidates(
    lib: Standard, load: Array, spares: Spares, family: Family, generation: Array, *, shape: Shape
) -> Candidates:
    """Those of rows in these generations [rows, 1]."""
    first = levels(lib, load, spares, num_packs=shape.num_packs, num_levels=shape.num_levels, most=shape.most)
    if shape.generations == 1:
        return first
    number, of_levels = shape.candidates, 2 * shape.num_levels
    later = offspring(lib, load, family.parents, generation, number=number, most=shape.most, seed=shape.seed)
    # There are fewer levels; those that come again are not new.
    entry = lib.arange(load.shape[0] * number, load)
    first = take_rows(lib, first, entry // number * of_levels + entry % number % of_levels)
    return choose(lib, for_each(lib, generation, number) == 1, first, later)


def _lightest(lib: Standard, busiest: Array, rows: int) -> Array:
    """The lanes of each row, those whose busiest pack [lanes, 1] is lightest first: [rows, lanes of a row]."""
    by_row = lib.xp.reshape(busiest, (rows, busiest.shape[0] // rows))
    _, ranked = lib.sort_rows(by_row, lib.arange_like(by_row))
    return ranked + lib.arange(rows, busiest)[:, None] * by_row.shape[1]


def _parents(lib: Standard, found: Candidates, busiest: Array, ranked: Array, shape: Shape) -> Parents:
    """The best of each row's candidates, lightest first."""
    xp = lib.xp
    rows = ranked.shape[0]
    chosen = xp.reshape(ranked[:, : shape.parents], (rows * shape.parents,))
    spare, count = (xp.reshape(x, (rows, shape.parents, x.shape[-1])) for x in take_rows(lib, found, chosen))
    are_new = xp.reshape(lib.take(busiest[:, 0], chosen, axis=0), (rows, shape.parents)) < float("inf")
    return Parents(spare, count, xp.count_nonzero(are_new, axis=-1, keepdims=True))
