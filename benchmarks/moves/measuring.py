"""Balance after few moves, beside the plan in use and fresh ones."""

from typing import Any, NamedTuple

import numpy as np

from benchmarks.moves.cases import Case, Wanted
from benchmarks.moves.planning import plan
from benchmarks.quality.sizes import Size
from eplb_xp import evaluate, moves


class Found(NamedTuple):
    """A way to plan: balances of all layers on the loads that came, and the share of the slots that moved."""

    mean: float
    worst: float
    moved: float


class Row(NamedTuple):
    """A load: what keeping the plan and fresh ones give, and each budget."""

    case: str
    size: Size
    kept: Found
    eplb: Found  # fresh, its GPUs not relabelled
    joint: Found  # fresh, relabelled
    budgets: list[tuple[Wanted, Found]]


def row(case: Case, first_seed: int) -> Row:
    """Plan for what was, change the plan for what came, and judge it on that."""
    pairs = [case.make(first_seed + seed) for seed in range(case.seeds)]
    size = case.size
    used = [plan(before, size) for before, _ in pairs]
    now = [after for _, after in pairs]

    def planned(**options: Any) -> list[Any]:
        return [plan(load, size, previous=old, **options) for load, old in zip(now, used, strict=True)]

    def found(plans: list[Any]) -> Found:
        reports = [evaluate(plan, load.astype(np.float32), size.gpus) for plan, load in zip(plans, now, strict=True)]
        balance = np.concatenate([report.balancedness for report in reports])
        received = [moves(old, new, size.gpus).received.sum() for old, new in zip(used, plans, strict=True)]
        moved = sum(received) / (len(balance) * size.replicas)
        return Found(float(balance.mean()), float(balance.min()), float(moved))

    budgets = [(each, found(planned(max_moves=int(each.moved * size.replicas)))) for each in case.wanted]
    eplb = [plan(load, size, policy="greedy") for load in now]
    return Row(case.name, size, found(used), found(eplb), found(planned()), budgets)
