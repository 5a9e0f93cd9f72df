"""Counts that are a few replicas away from those of good candidates: an expert gets one to three that others give up.

Which expert gives is a tournament of two: of the experts of two spares, drawn, the one whose replicas are lighter
afterwards. Which one gets is drawn from all but the first that gives. Offspring, parents, generations and tournaments
are the words of evolutionary search.
"""

from typing import NamedTuple

from eplb_xp.algorithms.counts.candidates import Candidates
from eplb_xp.algorithms.hashing import below, hashed
from eplb_xp.algorithms.rows import for_each
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

MOST_MOVES = 3


class Parents(NamedTuple):
    """Candidates that others are made from, the best first."""

    spare: Array  # [rows, parents, spares]
    count: Array  # [rows, parents, experts]
    number: Array  # [rows, 1] how many there are, at least one


def offspring(
    lib: Standard, load: Array, parents: Parents, generation: Array, *, number: int, most: int, seed: int
) -> Candidates:
    """So many of each row in its generation [rows, 1], of one parent after the other.

    The first of each parent move one replica, then come those that move two, three, and one again. Where nothing can
    be moved the counts are the parent's.
    """
    xp = lib.xp
    rows, experts = load.shape
    num_spares = parents.spare.shape[-1]
    each = lib.arange(rows * number, load)[:, None] % number
    those = for_each(lib, parents.number, number)
    parent, times = each % those, 1 + each // those % MOST_MOVES
    at_most = parents.spare.shape[1]
    parent = (lib.arange(rows * number, load) // number) * at_most + parent[:, 0]
    spare, count = (lib.take(xp.reshape(x, (rows * at_most, x.shape[-1])), parent, axis=0) for x in parents[:2])

    drawn = hashed(hashed(for_each(lib, generation, number) + seed) + each)
    expert, place = lib.arange(experts, load)[None, :], lib.arange(num_spares, load)[None, :]
    load = for_each(lib, load, number)
    taker = each
    for move in range(MOST_MOVES):
        places = []
        for _ in range(2):
            drawn = hashed(drawn + 1)
            places.append(below(drawn, num_spares))
        two = xp.concat(places, axis=-1)
        givers = lib.take_along_axis(spare, two)
        fewer = xp.astype(lib.take_along_axis(count, givers) - 1, xp.float32)
        lighter = lib.argmin(lib.divide(lib.take_along_axis(load, givers), fewer))
        giver, given = (lib.take_along_axis(x, lighter) for x in (givers, two))
        if move == 0:
            drawn = hashed(drawn + 1)
            taker = (giver + 1 + below(drawn, experts - 1)) % experts
        moves = (move < times) & (taker != giver) & (lib.take_along_axis(count, taker) < most)
        change = xp.astype(expert == taker, lib.index_dtype) - xp.astype(expert == giver, lib.index_dtype)
        spare, count = xp.where(moves & (place == given), taker, spare), xp.where(moves, count + change, count)
    return Candidates(spare, count)
