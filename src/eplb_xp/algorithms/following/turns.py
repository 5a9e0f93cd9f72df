"""Paths with targets of their own: first steps from the excess to the mean, then below what the best of these reached.

Every path starts from the same placing, and needs of others no more than what the first ones reached. Those aimed below
that have noise, so that they differ.
"""

from typing import NamedTuple

from eplb_xp.algorithms.following.choosing import Noise
from eplb_xp.algorithms.following.path import Aim, Best, judged, walked
from eplb_xp.algorithms.following.system import Placing, Shape, System, loads_of
from eplb_xp.algorithms.rows import choose, put_rows, take_rows, tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# Parts of the excess over the mean that targets leave, each as two powers of two: so no compiler can round it in
# another way. 3/4, 3/16 and so on of the excess at the start, then 15/16, 7/8, 3/4 and 5/8 of what is left, twice each.
WIDE = tuple((2.0**-i, 2.0 ** -(i + 1)) for i in (1, 3, 5, 7, 9, 11))
NARROW = ((1.0, -(2.0**-4)), (1.0, -(2.0**-3)), (2.0**-1, 2.0**-2), (2.0**-1, 2.0**-3)) * 2
# Where moves cost nothing few targets do as well.
FREELY = ((2.0**-1, 2.0**-2), (2.0**-2, 2.0**-3), (2.0**-3, 2.0**-4), (2.0**-4, 2.0**-5))
BITS = 13

# Steps that are looked at side by side: more than fit into the caches of a CPU take longer.
AT_ONCE = 2**19


class Aims(NamedTuple):
    """Where paths are aimed: at parts of an excess.

    For those of ``wide`` it is that of the start, for those of ``narrow`` what the best of the first leave of it.
    """

    wide: tuple[tuple[float, float], ...]
    narrow: tuple[tuple[float, float], ...] = ()
    marks: tuple[int, ...] = ()  # the most moves, for each narrow one
    number: int = 1  # of marks, each with a best of its own: 1 for the best of all, else one more than moves may be


FOLLOWING = Aims(WIDE, NARROW, (0,) * len(NARROW))


class _Search(NamedTuple):
    """What is left to do, and the best so far."""

    turn: Array  # [1] number of turns made, all those of some rows before those of others
    best: Best
    reached: Best  # after the first paths


def searched(lib: Standard, system: System, start: Placing, shape: Shape, aims: Aims) -> Best:
    """The best placings on paths from a start: of all, or of each number of moves."""
    xp = lib.xp
    rows, samples, experts = system.load.shape
    first = _first(lib, judged(lib, start, loads_of(lib, system, start, shape.num_gpus)), aims.number)
    if rows == 0:
        return first
    capacity, places = start.expert.shape[-1] // shape.num_gpus, start.expert.shape[-1]
    each = capacity * (experts + 2 * places) + samples * start.spare.shape[-1] * shape.num_gpus
    at_once = max(min(AT_ONCE // each, rows), 1)
    parts, from_start = aims.wide + aims.narrow, len(aims.wide)
    lowest = _lowest(lib, system, start, shape)
    one, other = (lib.constant([round(part[i] * 2**BITS) for part in parts], start.expert) for i in (0, 1))
    marks = lib.constant([0] * from_start + list(aims.marks), start.expert)

    def unfinished(search: _Search) -> Array:
        return xp.any(search.turn < -(-rows // at_once) * len(parts))

    def one_turn(search: _Search) -> _Search:
        turn, best, reached = search
        begin, path = turn // len(parts) * at_once, turn % len(parts)
        row = begin + lib.arange(at_once, turn)
        row = xp.where(row < rows, row, rows - 1)
        its_best, its_lowest = take_rows(lib, best, row), take_rows(lib, lowest, row)
        wide = path < from_start
        busiest = xp.where(wide[:, None], first.busiest[:, 0, :], _of_mark(lib, reached, lib.take(marks, path, axis=0)))
        excess = take_rows(lib, busiest, row) - its_lowest
        share, more = (xp.astype(lib.take(x, path, axis=0), xp.float32)[:, None] * 2.0**-BITS for x in (one, other))
        target = its_lowest + (excess * share + excess * more)
        aim = Aim(target[:, :, None], Noise(path, xp.astype(~wide, lib.index_dtype)))
        found = walked(lib, take_rows(lib, system, row), take_rows(lib, start, row), its_best, aim, shape=shape)
        best = put_rows(lib, best, found, lib.arange(rows, turn) - begin, at_once)
        return _Search(turn + 1, best, choose(lib, wide, best, reached))

    return lib.while_loop(unfinished, one_turn, _Search(lib.arange(1, start.expert), first, first)).best


def _first(lib: Standard, alone: Best, number: int) -> Best:
    """The placing that is there before any step, for no moves; for other numbers there is none yet."""
    xp = lib.xp
    rows = alone.total.shape[0]
    expert, busiest = (xp.broadcast_to(x, (rows, number, x.shape[-1])) for x in alone[:2])
    is_first = lib.arange(number, alone.expert)[None, :] == 0
    return Best(expert, busiest, xp.where(is_first, alone.total, float("inf")))


def _of_mark(lib: Standard, best: Best, mark: Array) -> Array:
    """What the busiest GPUs have in the best placing of at most so many moves [1]: [rows, samples]."""
    xp = lib.xp
    marks = best.total.shape[-1]
    within = lib.arange(marks, mark)[None, :] <= mark[:, None]
    at = lib.argmin(xp.where(within, best.total, float("inf")))
    here = lib.arange(marks, mark)[None, :] == at
    return xp.max(xp.where(here[:, :, None], best.busiest, 0.0), axis=1)


def _lowest(lib: Standard, system: System, start: Placing, shape: Shape) -> Array:
    """The mean GPU load of the node that has most: [rows, samples]."""
    xp = lib.xp
    experts = system.load.shape[-1]
    of_node = lib.arange(shape.num_nodes, start.expert)[None, :, None] == system.node[:, None, :]
    total = tree_sum(lib, xp.where(of_node[:, None, :, :], system.load[:, :, None, :], 0.0))
    # So that it is of a size that can be divided.
    bits = experts.bit_length()
    mean = lib.divide(total * 2.0**-bits, xp.full_like(total, float(shape.gpus_of_node)))
    return xp.max(mean, axis=-1) * 2.0**bits
