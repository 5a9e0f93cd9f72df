"""When the holders of an expert meet: turns of matchings, so that no GPU is in two pairs at once.

The k holders of an expert meet each other like the teams of a tournament, in k - 1 colours, or k where k is odd. An
expert has colours in a row, and experts of one GPU have different ones. Those of most holders choose first, each the
first colours that are free on all its GPUs.
"""

from typing import NamedTuple

from eplb_xp.algorithms.runs import Runs, by_item, of_owner, run_max, run_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Colouring(NamedTuple):
    """The first colour of each expert, and whether it may still change."""

    first: Array  # [layers, experts]
    waits: Array  # [layers, experts]


def span(number: Array) -> Array:
    """How many colours so many holders take."""
    return (number - 1) | 1


def first_colours(lib: Standard, runs: Runs, num_gpus: int) -> Array:
    """The first colour of each expert, -1 where it has one holder: [layers, experts]."""
    xp = lib.xp
    layers, slots = runs.order.shape
    shape = (layers, slots // num_gpus, num_gpus)
    several = runs.length > 1
    turn = runs.first  # those of most holders stand first
    owner = by_item(lib, runs, runs.owner)

    def by_slot(of_expert: Array, of_nobody: int) -> Array:
        return xp.reshape(of_owner(lib, of_expert, owner, of_nobody), shape)

    width = by_slot(span(runs.length), 0)

    def unfinished(colouring: _Colouring) -> Array:
        return xp.any(colouring.waits)

    def choose_some(colouring: _Colouring) -> _Colouring:
        """All look behind what is in their way, and stay who are first of those who wait on each of their GPUs."""
        first = by_slot(colouring.first, 0)
        taken = by_slot(xp.where(colouring.waits | ~several, -1, colouring.first + span(runs.length)), -1)

        def behind(rank: int, furthest: Array) -> Array:
            begin, end = first[:, rank, :][:, None, :], taken[:, rank, :][:, None, :]
            return xp.where((begin < first + width) & (end > first) & (end > furthest), end, furthest)

        furthest = lib.fori_loop(0, shape[1], behind, xp.zeros_like(first))
        furthest = lib.take_along_axis(xp.reshape(furthest, runs.order.shape), runs.order)
        furthest = run_max(lib, runs, furthest, min(num_gpus, slots))
        moves = colouring.waits & (furthest > colouring.first)

        waiting = by_slot(xp.where(colouring.waits, turn, slots), slots)
        is_next = (waiting == xp.min(waiting, axis=1, keepdims=True)) & (waiting < slots)
        is_next = lib.take_along_axis(xp.reshape(xp.astype(is_next, lib.index_dtype), runs.order.shape), runs.order)
        is_next = run_sum(lib, runs, is_next) == runs.length
        return _Colouring(xp.where(moves, furthest, colouring.first), colouring.waits & (moves | ~is_next))

    found = lib.while_loop(unfinished, choose_some, _Colouring(xp.zeros_like(turn), several))
    return xp.where(several, found.first, -1)
