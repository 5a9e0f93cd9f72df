"""The first replica counts to try beside D'Hondt's, in plain Python over float32 numbers."""

from typing import NamedTuple

import numpy as np

from tests.support.references.plan import Row, tree_sum


class Candidate(NamedTuple):
    """The experts of the spares, and replicas of each expert."""

    spares: list[int]
    counts: list[int]


def levels(load: Row, spares: list[int], num_packs: int, number: int, most: int) -> list[Candidate]:
    """Of D'Hondt's spares the first few, and the rest one each: to the heaviest at each level, then to the lightest."""
    experts, at_least = len(load), lowest_level(load, spares, num_packs)
    found = []
    for backwards in (False, True):
        for i in range(number):
            level = at_least + (len(spares) - at_least) * i // max(number - 1, 1)
            count = [1 + spares[:level].count(expert) for expert in range(experts)]
            order = sorted(range(experts), key=lambda expert: -load[expert])
            if backwards:
                order.reverse()
            singles = [expert for expert in order if count[expert] == 1]
            waiting = singles + [expert for expert in order if 1 < count[expert] < most]
            rest = waiting[: len(spares) - level]
            possible = level + len(rest) == len(spares)
            all_spares = spares[:level] + rest if possible else spares
            found.append(Candidate(all_spares, [1 + all_spares.count(expert) for expert in range(experts)]))
    return found


def lowest_level(load: Row, spares: list[int], num_packs: int) -> int:
    """The spares that replicas heavier than the mean pack are split for, and those that the rest can't take."""
    mean_times_packs = tree_sum(load)
    needed = 0
    for i, expert in enumerate(spares):
        share = load[expert] / np.float32(1 + spares[:i].count(expert))
        needed += bool(share * np.float32(num_packs) > mean_times_packs)
    return max(needed, len(spares) - len(load))
