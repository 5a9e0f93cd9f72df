"""Plans of tensors: made and compared."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp import (
    Plan,
    balanced_packing,
    evaluate,
    expert_loads,
    frontier,
    logical_maps,
    moves,
    plan_at,
    prepare_shares,
    probabilities,
    quotas,
    rebalance_experts,
    rebalance_experts_hierarchical,
    replicate_experts,
    route,
    share_tokens,
    spend,
)


def plan_for(weight: torch.Tensor) -> Plan[torch.Tensor]:
    return rebalance_experts(weight, num_replicas=80, num_groups=8, num_nodes=2, num_gpus=8, policy="greedy")


def loads(seed: int = 0, layers: int = 6, device: str = "cpu") -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.asarray(rng.lognormal(0, 1, (layers, 64)).astype(np.float32), device=device)


def assert_same(result: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...]) -> None:
    for ours, theirs in zip(result, expected, strict=True):
        assert torch.equal(ours.cpu(), theirs.cpu())


def few(seed: int = 0) -> torch.Tensor:
    """Loads for `FUNCTIONS`."""
    return torch.asarray(np.random.default_rng(seed).lognormal(0, 1, (3, 8)).astype(np.float32))


def shared(weight: Any) -> Any:
    """What is told of plans and equal shares."""
    plan = rebalance_experts(weight, 12, 1, 1, 4, policy="greedy")
    return evaluate(plan, weight, 4, shares=plan.phy2log * 0)


def prepared(weight: Any) -> Any:
    """Shares of a plan that is prepared."""
    plan = rebalance_experts(weight, 12, 1, 1, 4, policy="ring")
    return share_tokens(plan, weight, 4, prepared=prepare_shares(plan, 4))


def routed(weight: Any) -> Any:
    """Where tokens go, that are counted after the plan."""
    plan = rebalance_experts(weight, 12, 1, 1, 4, policy="greedy")
    counts = plan.phy2log[:, :4, None] + plan.logcnt[:, None, :]
    shares = share_tokens(plan, counts.sum(1), 4)
    quota = quotas(shares, plan, counts, num_nodes=2, rank=1)
    experts, row = plan.phy2log[0].reshape(6, 2), [x[0] for x in plan]
    slots = (route(experts, row), route(experts, row, quota[0], first=plan.logcnt[1]))
    return quotas(shares, plan, counts), quota, probabilities(shares, plan), *slots


def moved(weight: Any) -> Any:
    """From one plan to another, and what slots tell of experts."""
    plan, other = (rebalance_experts(x, 12, 1, 1, 4, policy="greedy").phy2log for x in (weight, weight * weight))
    phy2log = plan - 8 * (plan == 7)  # some slots are empty
    maps, loads = logical_maps(phy2log, 8, 6), expert_loads(weight[:, :1] + plan, phy2log, 8)
    return *moves(phy2log, other, 4, 2), *maps, expert_loads(plan, phy2log, 8), loads


def followed(weight: Any) -> Any:
    """Plans that follow another, with few moves, many, and any number; and one for samples that differ in weight."""
    used = rebalance_experts(weight * weight, 12, 1, 1, 4, policy="greedy")
    plans = [
        rebalance_experts(weight, 12, 1, 1, 4, policy="greedy", previous=used, max_moves=moves)
        for moves in (2, 6, None)
    ]
    samples = weight[:2, None, :] * weight[None, :, :]
    plans.append(rebalance_experts(samples, 12, 1, 1, 4, policy="greedy", sample_weights=weight[0, :2]))
    return tuple(each for plan in plans for each in plan)


def bought(weight: Any) -> Any:
    """Plans for every number of moves, one of them, and how moves are divided."""
    used = rebalance_experts(weight * weight, 12, 1, 1, 4, policy="greedy")
    found = frontier(weight, 12, 1, 1, 4, previous=used, max_moves=3, gpus_per_node=2, far_cost=2)
    return *found, *plan_at(found, 2), spend(found, 4)


# Every step, of loads alone: [3, 8].
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "rebalance": lambda weight: rebalance_experts(weight, 12, 2, 2, 4, policy="swap", max_replicas=3),
    "hierarchical": lambda weight: rebalance_experts_hierarchical(weight, 12, 2, 2, 4),
    "packing": lambda weight: balanced_packing(weight, 4),
    "replication": lambda weight: replicate_experts(weight, 12),
    "evaluation": lambda weight: evaluate(rebalance_experts(weight, 12, 1, 1, 4, policy="greedy"), weight, 4),
    "shared evaluation": shared,
    "prepared shares": prepared,
    "routing": routed,
    "moving": moved,
    "following": followed,
    "frontier": bought,
    "shares": lambda weight: share_tokens(rebalance_experts(weight, 12, 1, 1, 4, policy="greedy"), weight, 4),
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


@cache
def by_numpy(function: Callable[[Any], Any], weight: bytes) -> Any:
    """What NumPy has for loads, kept: all transforms of a function are held against it, and it takes as long."""
    return function(np.frombuffer(weight, np.float32).reshape(3, 8))


def assert_as_numpy(result: Any, function: Callable[[Any], Any], *weights: torch.Tensor) -> None:
    """The results are what NumPy has for the loads, one after the other where there are several."""
    expected = [by_numpy(function, weight.numpy().tobytes()) for weight in weights]
    assert len(result) == len(expected[0])
    for ours, *theirs in zip(result, *expected, strict=True):
        np.testing.assert_array_equal(ours.detach().numpy(), theirs[0] if len(theirs) == 1 else np.stack(theirs))
