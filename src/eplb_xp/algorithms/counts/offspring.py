"""Counts that are one replica away from those of good candidates: an expert gives one up, another gets it.

Which expert gives is a tournament of two: of the experts of two spares, drawn, the one whose replicas are lighter
afterwards. Which one gets is drawn from all others. Offspring, parents, generations and tournaments are the words of
evolutionary search.
"""

from typing import NamedTuple

from eplb_xp.algorithms.counts.candidates import Candidates
from eplb_xp.algorithms.hashing import below, hashed
from eplb_xp.algorithms.rows import for_each
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Parents(NamedTuple):
    """Candidates that others are made from, the best first."""

    spare: Array  # [rows, parents, spares]
    count: Array  # [rows, parents, experts]
    number: Array  # [rows, 1] how many there are, at least one


def offspring(
    lib: Standard, load: Array, parents: Parents, generation: Array, *, number: int, most: int, seed: int
) -> Candidates:
    """So many of each row in its generation [rows, 1], of one parent after the other.

    Where nothing can be moved the counts are the parent's.
    """
    xp = lib.xp
    rows, experts = load.shape
    num_spares = parents.spare.shape[-1]
    each = lib.arange(rows * number, load)[:, None] % number
    parent = each % for_each(lib, parents.number, number)
    at_most = parents.spare.shape[1]
    parent = (lib.arange(rows * number, load) // number) * at_most + parent[:, 0]
    spare, count = (lib.take(xp.reshape(x, (rows * at_most, x.shape[-1])), parent, axis=0) for x in parents[:2])

    drawn = [hashed(hashed(for_each(lib, generation, number) + seed) + each)]
    for _ in range(3):
        drawn.append(hashed(drawn[-1] + 1))
    places = xp.concat([below(x, num_spares) for x in drawn[1:3]], axis=-1)
    givers = lib.take_along_axis(spare, places)
    fewer = xp.astype(lib.take_along_axis(count, givers) - 1, xp.float32)
    lighter = lib.argmin(lib.divide(lib.take_along_axis(for_each(lib, load, number), givers), fewer))
    giver, place = (lib.take_along_axis(x, lighter) for x in (givers, places))
    taker = (giver + 1 + below(drawn[3], experts - 1)) % experts
    moves = (taker != giver) & (lib.take_along_axis(count, taker) < most)

    expert, spares = lib.arange(experts, load)[None, :], lib.arange(num_spares, load)[None, :]
    change = xp.astype(expert == taker, lib.index_dtype) - xp.astype(expert == giver, lib.index_dtype)
    return Candidates(xp.where(moves & (spares == place), taker, spare), xp.where(moves, count + change, count))
