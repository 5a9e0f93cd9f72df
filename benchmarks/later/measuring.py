"""Balance on later steps, under equal and under the best shares."""

from typing import NamedTuple

import numpy as np

from benchmarks.later.cases import Case
from benchmarks.quality.sizes import Size
from eplb_xp import evaluate, rebalance_experts, share_tokens
from tests.support.libraries import NumPyArray


class Row(NamedTuple):
    """What a policy's plans are worth; balances are means over layers, steps and windows."""

    load: str
    size: Size
    policy: str
    planned: float  # on the steps that were planned for
    equal: float  # on later steps, replicas sharing equally
    best: float  # on later steps, best shares
    wanted: float  # the least that the best should be, for policy ring


def rows(case: Case, size: Size, policies: list[str], seed: int) -> list[Row]:
    """A row for each policy."""
    pairs = case.steps(seed)
    return [_row(case, size, policy, pairs) for policy in policies]


def _row(case: Case, size: Size, policy: str, pairs: list[tuple[NumPyArray, NumPyArray]]) -> Row:
    planned, equal, best = [], [], []
    for past, later in pairs:
        weight = past.sum(axis=0).astype(np.float32)
        plan = rebalance_experts(weight, size.replicas, size.groups, size.nodes, size.gpus, policy=policy)
        planned.append(evaluate(plan, weight, size.gpus).balancedness.mean())
        for batch in later:
            equal.append(evaluate(plan, batch, size.gpus).balancedness.mean())
            shares = share_tokens(plan, batch, size.gpus)
            best.append((batch.sum(axis=1) / size.gpus / np.maximum(shares.busiest, 1)).mean())
    past_balance, equal_balance, best_balance = (float(np.mean(values)) for values in (planned, equal, best))
    return Row(case.name, size, policy, past_balance, equal_balance, best_balance, case.wanted[size])
