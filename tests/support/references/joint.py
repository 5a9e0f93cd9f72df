"""Counts chosen together with the packing, in plain Python over float32 numbers."""

from typing import NamedTuple

import numpy as np

from eplb_xp import Policy
from tests.support.references.finishing import are_shaken, finished, most_steps
from tests.support.references.levels import Candidate, levels
from tests.support.references.offspring import offspring
from tests.support.references.plan import Float, Row, tree_sum
from tests.support.references.swaps import Packing, busiest, heaviest_first, parted, swapped


class Tried(NamedTuple):
    """A candidate, its replicas, and how they are packed."""

    candidate: Candidate
    load: list[Float]  # of each replica
    expert: list[int]  # of each replica
    packs: Packing

    @property
    def busiest(self) -> Float:
        return busiest(self.packs, self.load)


def placed(load: Row, dhondt: Candidate, num_packs: int, most: int, policy: Policy) -> tuple[Packing, list[int]]:
    """The experts on each GPU, and all counts: D'Hondt's, or those of the best candidate of several generations."""
    spares, counts = dhondt
    slots = len(load) + len(spares)
    capacity = slots // num_packs
    are_alike = capacity <= 5
    generations = policy.generations if slots <= 32 else 1
    steps = most_steps(policy, num_packs, capacity)
    number = min(policy.levels, len(spares))
    refined = 2 * policy.refined if are_shaken(capacity) else policy.refined + (are_alike and generations == 1)
    if generations > 1 and steps > 0:
        steps = min(max(steps // generations, 8), steps)
        refined = max(refined // 2, 1)

    best = improved(packed(load, dhondt, num_packs), policy, 0 if are_alike else steps)
    bound = max(load[e] / np.float32(n) for e, n in enumerate(counts))
    tried = [] if are_alike else [counts]
    parents = [dhondt]
    for generation in range(1, generations + 1):
        if is_close(best, load, bound, policy):
            break
        if generation == 1:
            found = levels(load, spares, num_packs, number, most)
        else:
            found = offspring(load, parents, generation, number=16 * number, most=most, seed=policy.seed)
        family = [packed(load, candidate, num_packs) for candidate in not_tried(found, tried)]
        lightest = sorted(family, key=lambda one: one.busiest)[:refined]
        tried += [one.candidate.counts for one in lightest]
        family = sorted((improved(one, policy, steps) for one in lightest), key=lambda one: one.busiest)
        parents = [one.candidate for one in family[:8]] or parents
        best = min([best, *family], key=lambda one: one.busiest)
    return [[best.expert[item] for item in pack] for pack in best.packs], best.candidate.counts


def packed(load: Row, candidate: Candidate, num_packs: int) -> Tried:
    """Heaviest replica first."""
    expert = [*range(len(load)), *candidate.spares]
    item_load = [load[e] / np.float32(candidate.counts[e]) for e in expert]
    return Tried(candidate, item_load, expert, heaviest_first(item_load, num_packs, item_load))


def improved(one: Tried, policy: Policy, steps: int) -> Tried:
    """No two of an expert on a GPU, then swaps, then so many further steps."""
    items = one.load, one.expert
    packs = parted(one.packs, *items)
    packs = swapped(packs, *items, policy, policy.rounds)
    return one._replace(packs=finished(packs, *items, policy, steps))


def is_close(one: Tried, load: Row, largest: Float, policy: Policy) -> bool:
    """Whether the busiest GPU is within the tolerance of the mean or of D'Hondt's largest replica."""
    close = np.float32(1 + policy.tolerance)
    above_mean = one.busiest * np.float32(len(one.packs)) > tree_sum(load) * close
    return not (above_mean and one.busiest > largest * close)


def not_tried(found: list[Candidate], tried: list[list[int]]) -> list[Candidate]:
    """Those with counts that are neither among those tried nor earlier."""
    new: list[Candidate] = []
    for candidate in found:
        if candidate.counts not in [*tried, *(one.counts for one in new)]:
            new.append(candidate)
    return new
