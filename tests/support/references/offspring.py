"""Replica counts that are a few replicas away from others, in plain Python over float32 numbers."""

import numpy as np

from tests.support.references.hashing import hashed
from tests.support.references.levels import Candidate
from tests.support.references.plan import Row


def offspring(
    load: Row, parents: list[Candidate], generation: int, *, number: int, most: int, seed: int
) -> list[Candidate]:
    """So many, of one parent after the other, by numbers drawn for each."""
    first = hashed(generation + seed)
    found = []
    for i in range(number):
        turn, parent = divmod(i, len(parents))
        found.append(child(load, parents[parent], hashed(first + i), most, moves=1 + turn % 3))
    return found


def child(load: Row, parent: Candidate, drawn: int, most: int, *, moves: int) -> Candidate:
    """So many times the one of two spares whose expert has the lighter replicas without it goes to one expert.

    Where that may have no more, or would give to itself, the spare stays.
    """
    spares, counts = list(parent.spares), list(parent.counts)

    def lighter(place: int) -> np.float32:
        expert = spares[place]
        return load[expert] / np.float32(counts[expert] - 1)

    taker = None
    for _ in range(moves):
        first = hashed(drawn + 1)
        drawn = hashed(first + 1)
        place = min((below(first, len(spares)), below(drawn, len(spares))), key=lighter)
        giver = spares[place]
        if taker is None:
            drawn = hashed(drawn + 1)
            taker = (giver + 1 + below(drawn, len(load) - 1)) % len(load)
        if taker != giver and counts[taker] < most:
            spares[place] = taker
            counts[giver] -= 1
            counts[taker] += 1
    return Candidate(spares, counts)


def below(drawn: int, number: int) -> int:
    """A number from 0 up to, not including, another, by the upper 14 of 31 bits."""
    return (drawn >> 17) * number >> 14
