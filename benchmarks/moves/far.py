"""What is left of the moves across nodes where each counts as several, at nearly the same balance."""

from typing import NamedTuple

import numpy as np

from benchmarks.moves.cases import SMALL, Pair
from benchmarks.moves.planning import all_plans, plan
from benchmarks.quality.sizes import Size
from eplb_xp import Frontier, Plan, moves, plan_at
from tests.support.libraries import NumPyArray

SIZE, NEAR = Size(288, 32), 8  # GPUs of a node
BUDGET = 29
COSTS = (2, 5)
MORE = 3  # times the budget, at most
WORSE = 0.001  # of the balance
SEEDS = 3


class Far(NamedTuple):
    """Moves of a layer, in the mean."""

    size: Size
    gpus_per_node: int
    far_cost: int
    budget: int
    moved: float = 0.0
    far: float = 0.0
    mean: float = 1.0  # balance
    worst: float = 1.0


def far(first_seed: int) -> list[Far]:
    """With every cost, the smallest budget that is nearly as good as the first one."""
    return among([SMALL(seed) for seed in range(first_seed, first_seed + SEEDS)], SIZE, NEAR, BUDGET)


def among(pairs: list[Pair], size: Size, near: int, budget: int) -> list[Far]:
    """The same for other loads."""
    before, now = (np.concatenate(each) for each in zip(*pairs, strict=True))
    used = plan(before, size)
    found = all_plans(now, size, used, max_moves=budget)
    rows = [_far(found, used, Far(size, near, 1, budget))]
    for cost in COSTS:
        found = all_plans(now, size, used, max_moves=MORE * budget, gpus_per_node=near, far_cost=cost)
        enough = found.balancedness.mean(axis=0, dtype=np.float64) >= rows[0].mean - WORSE
        smallest = int(enough.argmax()) if enough.any() else MORE * budget
        rows.append(_far(found, used, Far(size, near, cost, smallest)))
    return rows


def _far(found: Frontier[NumPyArray], used: Plan[NumPyArray], of: Far) -> Far:
    """With what its budget gives."""
    moved = moves(used, plan_at(found, of.budget), of.size.gpus, gpus_per_node=of.gpus_per_node)
    slots, across = (float(each.sum(axis=1).mean()) for each in (moved.received, moved.sent_across))
    balance = found.balancedness[:, of.budget].astype(np.float64)
    return of._replace(moved=slots, far=across, mean=float(balance.mean()), worst=float(balance.min()))
