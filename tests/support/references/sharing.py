"""Shares of a batch in plain Python: whole tokens, colours and matchings, and what is proven; exact, pair by pair.

A layer is the expert in each slot, slot = gpu * slots of a GPU + rank. Holders of an expert are its GPUs.
"""

from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

import numpy as np

from tests.support.libraries import NumPyArray
from tests.support.references import stretches
from tests.support.references.hashing import mixed_order

MOST_TOKENS = 2**30 - 1
MOST_FINE_BITS = 16
MOST_WHOLE_ROUNDS = 4
ROUNDS_AT_ONCE = 2

Held = list[list[int]]  # the GPUs of each expert, ascending
Taken = dict[tuple[int, int], int]  # what expert and GPU take of its tokens


class Proof(NamedTuple):
    """GPUs that must take so many tokens."""

    gpus: set[int]
    tokens: int

    @property
    def least(self) -> Fraction:
        return Fraction(self.tokens, max(len(self.gpus), 1))


class Found(NamedTuple):
    """The shares of a layer."""

    taken: Taken
    proof: Proof
    rounds: int


def whole_tokens(load: NumPyArray) -> list[int]:
    """The tokens of a layer: integers halved until they fit; floats as they are, or in units of a power of two."""
    if load.dtype.kind in "iu":
        tokens = [min(max(int(x), 0), MOST_TOKENS + 1) for x in load]
        while sum(tokens) > MOST_TOKENS:
            tokens = [x >> 1 for x in tokens]
        return tokens
    values = [float(x) if 0 <= x < np.inf else 0.0 for x in load.astype(np.float32)]
    if all(x == int(x) for x in values) and sum(map(int, values)) <= MOST_TOKENS:
        return [int(x) for x in values]
    values = [x if x >= 2.0**-125 else 0.0 for x in values]
    bits = 28 - (len(values) - 1).bit_length()
    unit = Fraction(2) ** (int(np.frexp(max(values))[1]) - 1)
    shares = [Fraction(x) / unit for x in values]
    return [int(x * 2**bits) if x >= Fraction(1, 2**60) else 0 for x in shares]


def holders(slots: list[int], experts: int, gpus: int) -> Held:
    capacity = len(slots) // gpus
    return [[g for g in range(gpus) if e in slots[g * capacity : (g + 1) * capacity]] for e in range(experts)]


def turns(held: Held) -> list[int]:
    """The experts in the order in which they choose: most holders first, equal ones in an order without pattern."""
    return sorted(mixed_order(len(held)), key=lambda e: -len(held[e]))


def span(number: int) -> int:
    """The colours in which so many holders meet."""
    return number - 1 + number % 2


def first_colours(held: Held) -> list[int]:
    """One expert after the other: the first colours in a row that are free on all of its GPUs."""
    colour = [-1] * len(held)
    busy: dict[int, set[int]] = {}
    for e in turns(held):
        if len(held[e]) > 1:
            colour[e], width = 0, span(len(held[e]))
            while any(busy.get(g, set()) & set(range(colour[e], colour[e] + width)) for g in held[e]):
                colour[e] += 1
            for g in held[e]:
                busy.setdefault(g, set()).update(range(colour[e], colour[e] + width))
    return colour


def meetings(held: Held) -> list[list[tuple[int, int, int]]]:
    """For each colour the expert and the two GPUs of every pair, as in a tournament of its holders."""
    first = first_colours(held)
    found: list[list[tuple[int, int, int]]] = [
        [] for _ in range(max((c + span(len(h)) for c, h in zip(first, held, strict=True) if c >= 0), default=0))
    ]
    for e, gpus in enumerate(held):
        teams = span(len(gpus))
        for turn in range(teams if len(gpus) > 1 else 0):
            for i, j in combinations(range(len(gpus)), 2):
                # The last of an even number stays where it is, and meets who would meet himself.
                if (i + j) % teams == 2 * turn % teams if j < teams else i == turn:
                    found[first[e] + turn].append((e, gpus[i], gpus[j]))
    return found


def equal(tokens: list[int], held: Held) -> Taken:
    """Equal shares, the first holders a token more."""
    return {
        (e, g): tokens[e] // len(gpus) + (turn < tokens[e] % len(gpus))
        for e, gpus in enumerate(held)
        for turn, g in enumerate(gpus)
    }


def loads(taken: Taken, gpus: int) -> list[int]:
    return [sum(x for (_, at), x in taken.items() if at == g) for g in range(gpus)]


def inside(tokens: list[int], held: Held, gpus: set[int]) -> int:
    """Tokens of experts that these GPUs alone hold."""
    return sum(x for x, its in zip(tokens, held, strict=True) if set(its) <= gpus)


def proof_of_busiest(tokens: list[int], held: Held, load: list[int]) -> Proof:
    """The strongest of the sets of the busiest GPUs, the smallest of equal ones."""
    order = sorted(range(len(load)), key=lambda g: -np.float32(load[g]))
    sets = [set(order[: k + 1]) for k in range(len(order))]
    return max((Proof(gpus, inside(tokens, held, gpus)) for gpus in sets), key=lambda proof: proof.least)


def optimum(tokens: list[int], held: Held, gpus: int) -> Fraction:
    """The least load of the busiest GPU, by duality: over all sets of GPUs."""
    sets = (set(some) for k in range(gpus) for some in combinations(range(gpus), k + 1))
    return max(Fraction(inside(tokens, held, some), len(some)) for some in sets)


def whole(taken: Taken, held: Held, fine: int) -> Taken:
    """Of each expert's holders in a row as many tokens as whole ones lie in what they have."""
    found = {}
    for e, gpus in enumerate(held):
        until = 0
        for g in gpus:
            found[e, g] = (until + taken[e, g] >> fine) - (until >> fine)
            until += taken[e, g]
    return found


def by_matchings(tokens: list[int], held: Held, gpus: int, rounds: int, tolerance: float) -> Found:
    """Pairs of holders level their GPUs, colour by colour, until the proof is close or the rounds are over."""
    colours = meetings(held)
    fine = sum(sum(tokens) <= MOST_TOKENS >> bits for bits in range(1, MOST_FINE_BITS + 1))
    best, taken = equal(tokens, held), equal([x << fine for x in tokens], held)
    busiest, load = max(loads(best, gpus)), loads(taken, gpus)
    proof, made, limit = Proof(set(), 0), 0, rounds
    while True:
        found = proof_of_busiest(tokens, held, load)
        proof = found if found.least > proof.least else proof
        bound = -(-proof.least.numerator // proof.least.denominator)
        bound += int(np.float32(bound) * np.float32(tolerance))
        if fine and (-(-max(load) >> fine) <= bound or made >= limit):
            taken = whole(taken, held, fine)
            load, fine, limit = loads(taken, gpus), 0, min(limit, made + MOST_WHOLE_ROUNDS)
        if not fine and max(load) < busiest:
            busiest, best = max(load), dict(taken)
        if not fine and (busiest <= bound or made >= limit):
            return Found(best, proof, made)
        at_once = min(ROUNDS_AT_ONCE, limit - made)
        for e, g, h in (pair for _ in range(at_once) for colour in colours for pair in colour):
            size = abs(load[h] - load[g])
            giver, taker = (h, g) if load[h] > load[g] else (g, h)
            move = min((size >> 1) + (size >> 3) + (size >> 4), taken[e, giver])
            taken[e, giver], taken[e, taker] = taken[e, giver] - move, taken[e, taker] + move
            load[giver], load[taker] = load[giver] - move, load[taker] + move
        made += at_once


def shares(slots: list[int], load: NumPyArray, gpus: int, rounds: int = 64, tolerance: float = 2.0**-10) -> Found:
    """The shares of one layer."""
    tokens, held = whole_tokens(load), holders(slots, len(load), gpus)
    rings = stretches.stretches(held, gpus)
    if rings is None:
        return by_matchings(tokens, held, gpus, rounds, tolerance)
    taken, its_gpus = stretches.solved(tokens, held, rings)
    return Found(taken, Proof(its_gpus, inside(tokens, held, its_gpus)), 0)


def by_slot(taken: Taken, slots: list[int], gpus: int) -> list[int]:
    """What each slot takes: the first of an expert on a GPU all that the GPU takes."""
    left, capacity = dict(taken), len(slots) // gpus
    return [left.pop((e, slot // capacity), 0) for slot, e in enumerate(slots)]
