"""Placements made for shares, in plain Python over float32 numbers: the ring, slots, and experts that change seats."""

from collections import Counter
from math import gcd

import numpy as np

from eplb_xp import Policy
from tests.support.libraries import NumPyArray
from tests.support.references.hashing import mixed_order
from tests.support.references.plan import Row, tree_sum
from tests.support.references.swaps import Packing, parted, total


def strides(gpus: int, turns: int) -> list[int]:
    """Steps that go through all GPUs, no two the same way round, the k-th about gpus^(k / turns)."""
    left = [step for step in range(1, max(gpus // 2, 1) + 1) if gcd(step, gpus) == 1]
    found: list[int] = []
    for turn in range(min(turns, len(left))):
        found.append(min((step for step in left if step not in found), key=lambda s: abs(s - gpus ** (turn / turns))))
    return found


def wanted(count: list[int], gpus: int) -> list[list[int]]:
    """The GPUs on which the replicas of each expert are wanted, if it has several."""
    spares = sum(count) - len(count)
    turns = max(-(-spares // gpus), 1)
    steps = strides(gpus, turns)
    found: list[list[int]] = [[] for _ in count]
    links = 0
    for expert in mixed_order(len(count)):
        whole = spares // gpus * gpus  # links of whole turns
        first = links if links < whole else whole + (links - whole) * gpus // max(spares - whole, 1)
        links += count[expert] - 1
        if count[expert] > 1:
            places = range(first, first + count[expert])
            found[expert] = [place % gpus * steps[place // gpus % len(steps)] % gpus for place in places]
    return found


def seated(load: Row, pack_of: list[int | None], packs: int) -> Packing:
    """The items where they are wanted, as far as there is room; the others, heaviest first, a round of one each."""
    capacity = len(load) // packs
    found: Packing = [[i for i, p in enumerate(pack_of) if p == pack][:capacity] for pack in range(packs)]
    weight = [total(pack, load) for pack in found]
    seats = {item for pack in found for item in pack}
    loose = sorted((i for i in range(len(load)) if i not in seats), key=lambda i: -load[i])
    while loose:
        for pack in sorted((p for p in range(packs) if len(found[p]) < capacity), key=lambda p: weight[p]):
            found[pack].append(loose[0])
            weight[pack] = weight[pack] + load[loose.pop(0)]
    return found


def levelled(load: Row, slots: Packing, policy: Policy) -> Packing:
    """Experts of equally many replicas swap all their places, as long as the best swap for the busiest GPU helps."""
    number = Counter(e for pack in slots for e in pack)
    share = [load[e] / np.float32(number[e]) for e in range(len(load))]
    least = tree_sum(load) * np.float32(policy.threshold)
    sits = {e: e for e in number}  # who is where an expert was
    for _ in range(policy.rounds):
        weight = [total([sits[e] for e in pack], share) for pack in slots]
        most = max(weight)
        swaps = []
        for rank, ours in enumerate(slots[weight.index(most)]):
            for theirs in sorted(number):
                if number[ours] == number[theirs]:
                    less = share[sits[ours]] - share[sits[theirs]]
                    heaviest = max(w for w, pack in zip(weight, slots, strict=True) if theirs in pack)
                    swaps.append((max(most - less, heaviest + less), theirs, rank, ours))
        after, theirs, _, ours = min(swaps)
        if not (most - after) * np.float32(len(slots)) > least:
            break
        sits[ours], sits[theirs] = sits[theirs], sits[ours]
    return [[sits[e] for e in pack] for pack in slots]


def placed(load: NumPyArray, spares: list[int], count: list[int], gpus: int, policy: Policy) -> Packing:
    """The experts of each GPU of a node."""
    expert = [*range(len(count)), *spares]
    share = [load[e] / np.float32(count[e]) for e in expert]
    places = wanted(count, gpus)
    # One after the other, as they are handed out.
    pack_of = [places[e].pop(0) if places[e] else None for e in expert]
    packs = parted(seated(share, pack_of, gpus), share, expert)
    return levelled(load, [[expert[item] for item in pack] for pack in packs], policy)
