"""Packs of two or three items are shaken where no swap helps, in plain Python over float32 numbers."""

import numpy as np

from eplb_xp import Policy
from tests.support.references.plan import Row, tree_sum
from tests.support.references.swaps import Packing, Packs, best_swap, helps, total


def shaken(slots: Packing, load: Row, expert: list[int], policy: Policy, left: int) -> Packing:
    """In each round the best swap if it helps, else one between each two packs that meet; until a bound is reached."""
    packs = Packs(slots, load, expert)
    for number in range(left):
        if is_close(packs, policy):
            break
        best = best_swap(packs, policy)
        if helps(packs, best, policy):
            packs.put(*best.swaps[0])
        else:
            shake(packs, number)
        packs.load = [total(pack, load) for pack in packs.slots]
    return packs.slots


def is_close(packs: Packs, policy: Policy) -> bool:
    """Whether the busiest pack is within the tolerance of the mean or of the largest item."""
    busiest, close = max(packs.load), np.float32(1 + policy.tolerance)
    above_mean = busiest * np.float32(len(packs.load)) > tree_sum(packs.item_load) * close
    return not (above_mean and busiest > max(packs.item_load) * close)


def shake(packs: Packs, number: int) -> None:
    """Pack p meets pack number - p, going round."""
    for p in range(len(packs.load)):
        q = (number - p) % len(packs.load)
        rank = rank_to_swap(packs, p, q)
        if p < q and rank is not None:
            packs.put((p, rank), (q, rank))


def rank_to_swap(packs: Packs, p: int, q: int) -> int | None:
    """Where two packs swap what they have there: the busier gets as busy as it can, still below the busiest pack."""
    ours, theirs = packs.held(p), packs.held(q)
    found, most = None, np.float32(-1)
    for rank in range(len(ours)):
        less = packs.of((p, rank)) - packs.of((q, rank))
        busier = max(packs.load[p] - less, packs.load[q] + less)
        is_doubled = ours[rank] in theirs or theirs[rank] in ours
        if not is_doubled and most < busier < max(packs.load):
            found, most = rank, busier
    return found
