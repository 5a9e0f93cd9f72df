"""All numbers of moves at once: their plans beside those for one budget, and moves divided among layers."""

from typing import NamedTuple

import numpy as np

from benchmarks.moves.cases import Case
from benchmarks.moves.planning import all_plans, plan
from benchmarks.quality.sizes import Size
from eplb_xp import Frontier, evaluate, moves, plan_at, spend
from tests.support.libraries import NumPyArray

SHARES = (0.05, 0.1, 0.15)  # of the slots
MOST = 0.25  # that one layer may have where moves are divided
WORSE = 0.001  # of the balance, that a frontier's plans may be worse


class Balance(NamedTuple):
    """Of the layers."""

    mean: float
    worst: float


class Bought(NamedTuple):
    """A budget: a plan made for it, that of the frontier, and what it would be divided."""

    share: float
    budget: int
    plan: Balance
    frontier: Balance
    same: float  # moves of all layers, in the mean of models, where each may have as many
    divided: float  # where they are divided so that all layers together take no longer

    @property
    def saved(self) -> float:
        """Of the moves."""
        return 1 - self.divided / self.same if self.same else 0.0


class Row(NamedTuple):
    """A load and its budgets."""

    case: str
    size: Size
    budgets: list[Bought]


def row(case: Case, first_seed: int) -> Row:
    """Follow with every budget, and with all at once."""
    size = case.size
    before, now = (
        np.concatenate(x) for x in zip(*map(case.make, range(first_seed, first_seed + case.seeds)), strict=True)
    )
    used = plan(before, size)
    budgets = [int(share * size.replicas) for share in SHARES]
    found = all_plans(now, size, used, max_moves=int(MOST * size.replicas))
    results = []
    for share, budget in zip(SHARES, budgets, strict=True):
        made = plan(now, size, previous=used, max_moves=budget)
        balance = evaluate(made, now.astype(np.float32), size.gpus).balancedness
        models = [_of_layers(found, at, case.layers) for at in range(0, len(now), case.layers)]
        slots = moves(used, plan_at(found, budget), size.gpus).received.sum(axis=1)
        same = [int(slots[at : at + case.layers].sum()) for at in range(0, len(now), case.layers)]
        divided = [least(model, budget, most) for model, most in zip(models, same, strict=True)]
        alone, own = (
            Balance(float(each.mean()), float(each.min())) for each in (balance, found.balancedness[:, budget])
        )
        results.append(Bought(share, budget, alone, own, sum(same) / len(same), sum(divided) / len(same)))
    return Row(case.name, size, results)


def least(found: Frontier[NumPyArray], budget: int, most: int) -> int:
    """The fewest moves that, divided, take the busiest GPUs of all layers as far as a budget for each does."""
    reached = found.busiest[:, budget].astype(np.float64).sum()
    fewest = 0
    while fewest < most:
        middle = (fewest + most) // 2
        each = np.asarray(spend(found, middle))
        took = np.take_along_axis(found.busiest, each[:, None], axis=1).astype(np.float64).sum()
        fewest, most = (fewest, middle) if took <= reached else (middle + 1, most)
    return fewest


def _of_layers(found: Frontier[NumPyArray], start: int, number: int) -> Frontier[NumPyArray]:
    return Frontier(*(each[start : start + number] for each in found))
