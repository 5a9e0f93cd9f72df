"""Counts chosen together with the packing, in plain Python over float32 numbers."""

from typing import NamedTuple

import numpy as np

from eplb_xp import Policy
from tests.support.references.plan import Row, tree_sum
from tests.support.references.swaps import Packing, busiest, exchanged, heaviest_first, parted, swapped


class Candidate(NamedTuple):
    """The experts of the spares, and replicas of each expert."""

    spares: list[int]
    counts: list[int]
    new: bool


def candidates(load: Row, spares: list[int], num_packs: int, levels: int, most: int) -> list[Candidate]:
    """Of D'Hondt's spares the first few, and the rest one each: to the heaviest at each level, then to the lightest."""
    experts, number = len(load), len(spares)
    at_least = lowest_level(load, spares, num_packs)
    found = []
    for backwards in (False, True):
        before = number
        for i in range(levels):
            level = at_least + (number - at_least) * i // levels
            count = [1 + spares[:level].count(expert) for expert in range(experts)]
            order = sorted(range(experts), key=lambda expert: -load[expert])
            if backwards:
                order.reverse()
            singles = [expert for expert in order if count[expert] == 1]
            waiting = singles + [expert for expert in order if 1 < count[expert] < most]
            rest = waiting[: number - level]
            possible = level + len(rest) == number
            all_spares = spares[:level] + rest if possible else spares
            every = [1 + all_spares.count(expert) for expert in range(experts)]
            found.append(Candidate(all_spares, every, possible and level not in (before, number)))
            before = level
    return found


def lowest_level(load: Row, spares: list[int], num_packs: int) -> int:
    """The spares that replicas heavier than the mean pack are split for, and those that the rest can't take."""
    mean_times_packs = tree_sum(load)
    needed = 0
    for i, expert in enumerate(spares):
        share = load[expert] / np.float32(1 + spares[:i].count(expert))
        needed += bool(share * np.float32(num_packs) > mean_times_packs)
    return max(needed, len(spares) - len(load))


def better(
    load: Row, spares: list[int], placed: tuple[Packing, list[int]], most: int, policy: Policy
) -> tuple[Packing, list[int]]:
    """The experts on each GPU, and all counts: as placed, or of the best candidate if that is lighter."""
    gpus, count = placed
    share = [w / np.float32(n) for w, n in zip(load, count, strict=True)]
    before, close = busiest(gpus, share), np.float32(1 + policy.tolerance)
    levels = min(policy.levels, len(spares))
    above_mean = before * np.float32(len(gpus)) > tree_sum(load) * close
    if levels == 0 or not above_mean or not before > max(share) * close:
        return placed

    tried = []
    for candidate in candidates(load, spares, len(gpus), levels, most):
        expert = [*range(len(load)), *candidate.spares]
        item_load = [load[e] / np.float32(candidate.counts[e]) for e in expert]
        packs = heaviest_first(item_load, len(gpus), item_load)
        tried.append((busiest(packs, item_load) if candidate.new else np.inf, packs, item_load, expert, candidate))

    refined = []
    for _, packs, item_load, expert, candidate in sorted(tried, key=lambda t: t[0])[: policy.refined]:
        apart = parted(packs, item_load, expert)
        after = swapped(apart, item_load, expert, policy, policy.rounds + policy.finish)
        refined.append((busiest(after, item_load), after, item_load, expert, candidate))

    best, least = placed, before
    for _, packs, item_load, expert, candidate in sorted(refined, key=lambda t: t[0])[: policy.finalists]:
        final = exchanged(packs, item_load, expert, policy)
        if busiest(final, item_load) < least:
            least = busiest(final, item_load)
            best = [[expert[item] for item in pack] for pack in final], candidate.counts
    return best
