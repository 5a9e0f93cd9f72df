"""Replica counts that are one replica away from others, in plain Python over float32 numbers."""

import numpy as np

from tests.support.references.hashing import hashed
from tests.support.references.levels import Candidate
from tests.support.references.plan import Row


def offspring(
    load: Row, parents: list[Candidate], generation: int, *, number: int, most: int, seed: int
) -> list[Candidate]:
    """So many, of one parent after the other, by numbers drawn for each."""
    first = hashed(generation + seed)
    return [child(load, parents[i % len(parents)], hashed(first + i), most) for i in range(number)]


def child(load: Row, parent: Candidate, drawn: int, most: int) -> Candidate:
    """Of two spares the one whose expert has the lighter replicas without it goes to another expert, if it may."""
    spares, counts = list(parent.spares), list(parent.counts)
    first = hashed(drawn + 1)
    second = hashed(first + 1)
    third = hashed(second + 1)

    def lighter(place: int) -> np.float32:
        expert = spares[place]
        return load[expert] / np.float32(counts[expert] - 1)

    place = min((below(first, len(spares)), below(second, len(spares))), key=lighter)
    giver = spares[place]
    taker = (giver + 1 + below(third, len(load) - 1)) % len(load)
    if taker != giver and counts[taker] < most:
        spares[place] = taker
        counts[giver] -= 1
        counts[taker] += 1
    return Candidate(spares, counts)


def below(drawn: int, number: int) -> int:
    """A number from 0 up to, not including, another, by the upper 14 of 31 bits."""
    return (drawn >> 17) * number >> 14
