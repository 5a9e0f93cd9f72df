"""Budgets in which a move from another node counts as several."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from eplb_xp import POLICIES, moves, rebalance_experts
from tests.support.following import Case, cases, follow
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.plans import assert_same
from tests.support.references.moving import by_gpu

SIZES = (12, 1, 1, 4)
NEAR = 2
FAR: dict[str, Any] = {"gpus_per_node": NEAR, "far_cost": 3, "policy": POLICIES["swap"]}


def price(slots: list[int], previous: list[int]) -> tuple[int, int]:
    """What slots cost that hold what their GPU did not, and how many are from another node."""
    now, before = by_gpu(slots, 4), by_gpu(previous, 4)
    cost = far = 0
    for gpu, held in enumerate(now):
        node = before[gpu // NEAR * NEAR : (gpu // NEAR + 1) * NEAR]
        for expert in set(held):
            new = max(held.count(expert) - before[gpu].count(expert), 0)
            is_far = not any(expert in other for other in node)
            cost, far = cost + new * (3 if is_far else 1), far + new * is_far
    return cost, far


@every_library
@settings(max_examples=2)
@given(case=cases((8, 1, 8), SIZES, most_moves=8))
def test_budgets_hold_on_every_library(library: Library, case: Case) -> None:
    made = follow(case, SIZES, library, **FAR)
    assert_same(made, follow(case, SIZES, **FAR))
    for slots, previous, budget in zip(made.phy2log.tolist(), case.previous.tolist(), case.budget, strict=True):
        if -1 not in previous:
            assert price(slots, previous)[0] <= budget


def drifted() -> tuple[NumPyArray, Any]:
    rng = np.random.default_rng(0)
    before = rng.lognormal(0, 1, (12, 64)).astype(np.float32)
    later = before * rng.lognormal(0, 0.3, before.shape).astype(np.float32)
    return later, rebalance_experts(before, 72, 1, 1, 8)


def test_far_moves_are_few_where_they_are_dear() -> None:
    later, used = drifted()
    across = []
    for cost in (1, 2, 5):
        made = rebalance_experts(later, 72, 1, 1, 8, previous=used, max_moves=8, gpus_per_node=4, far_cost=cost)
        found = moves(used, made, 8, gpus_per_node=4)
        far = found.sent_across.sum(axis=1)
        assert (found.received.sum(axis=1) + (cost - 1) * far <= 8).all()
        across.append(far.sum())
    assert across[0] > across[1] > across[2]


def test_nodes_alone_change_no_budget() -> None:
    later, used = drifted()
    one = rebalance_experts(later, 72, 1, 1, 8, previous=used, max_moves=8)
    assert_same(rebalance_experts(later, 72, 1, 1, 8, previous=used, max_moves=8, gpus_per_node=4), one)
    # On one node no move is far.
    assert_same(rebalance_experts(later, 72, 1, 1, 8, previous=used, max_moves=8, gpus_per_node=8, far_cost=7), one)


@pytest.mark.parametrize("budget", [30, 72])
def test_a_fresh_plan_pays_as_well(budget: int) -> None:
    later, used = drifted()
    made = rebalance_experts(later, 72, 1, 1, 8, previous=used, max_moves=budget, gpus_per_node=4, far_cost=4)
    found = moves(used, made, 8, gpus_per_node=4)
    assert (found.received.sum(axis=1) + 3 * found.sent_across.sum(axis=1) <= budget).all()


def test_nodes_of_a_machine_may_be_smaller_than_those_of_a_plan() -> None:
    later, _ = drifted()
    used = rebalance_experts(later[:, ::-1], 72, 4, 2, 8)
    made = rebalance_experts(later, 72, 4, 2, 8, previous=used, max_moves=9, gpus_per_node=2, far_cost=3)
    found = moves(used, made, 8, gpus_per_node=2)
    assert (found.received.sum(axis=1) + 2 * found.sent_across.sum(axis=1) <= 9).all()
