"""Routing in PyTorch: compiled, by layers under vmap, and of tensors that have no values."""

from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import vmap

from eplb_xp import Plan, Shares, probabilities, quotas, rebalance_experts, route, share_tokens

RNG = np.random.default_rng(0)
COUNTS = RNG.integers(0, 30, (2, 4, 8))
EXPERTS = RNG.integers(-1, 8, (2, 16, 2))
PLAN = rebalance_experts(COUNTS.sum(axis=1), 12, 1, 1, 4, policy="ring")
SHARES = share_tokens(PLAN, COUNTS.sum(axis=1), 4)
QUOTA = quotas(SHARES, PLAN, COUNTS, rank=2)
IN_TORCH = Plan(*map(torch.asarray, PLAN))
SHARED = Shares(*map(torch.asarray, SHARES))


def slots(quota: bool = False) -> Any:
    """What NumPy has for each layer."""
    return np.stack(
        [
            route(EXPERTS[layer], (PLAN.log2phy[layer], PLAN.logcnt[layer]), QUOTA[layer] if quota else None)
            for layer in range(2)
        ]
    )


def test_routing_without_a_graph_break() -> None:
    def step(counts: torch.Tensor, rank: torch.Tensor, experts: torch.Tensor) -> tuple[torch.Tensor, ...]:
        shares = SHARED._replace(share=SHARED.share + 0)
        quota = quotas(shares, IN_TORCH, counts, rank=rank)
        row = [x[0] for x in IN_TORCH]
        return quota, probabilities(shares, IN_TORCH), route(experts, row), route(experts, row, quota[0])

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    found = compiled(torch.asarray(COUNTS), torch.tensor(2), torch.asarray(EXPERTS[0]))
    want = QUOTA, probabilities(SHARES, PLAN), slots()[0], slots(True)[0]
    for ours, theirs in zip(found, want, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_layers_and_ranks_as_a_batch(dtype: torch.dtype) -> None:
    arrays = torch.asarray(EXPERTS), IN_TORCH.log2phy.to(dtype), IN_TORCH.logcnt, torch.asarray(QUOTA)
    found = vmap(lambda experts, log2phy, logcnt, _: route(experts, (log2phy, logcnt)))(*arrays)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, slots())
    found = vmap(lambda experts, log2phy, logcnt, quota: route(experts, (log2phy, logcnt), quota))(*arrays)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, slots(True))
    counts = torch.asarray(COUNTS)
    by_rank = vmap(lambda rank: quotas(SHARED, IN_TORCH, counts, rank=rank), out_dims=1)(torch.arange(4))
    np.testing.assert_array_equal(by_rank, quotas(SHARES, PLAN, COUNTS))


def test_tensors_without_values_have_shapes_and_dtypes() -> None:
    with FakeTensorMode() as mode:
        plan, shares = Plan(*map(mode.from_tensor, IN_TORCH)), Shares(*map(mode.from_tensor, SHARED))
        quota = quotas(shares, plan, mode.from_tensor(torch.asarray(COUNTS)), rank=1)
        row = plan.log2phy[0].to(torch.int32), plan.logcnt[0]
        slot = route(mode.from_tensor(torch.asarray(EXPERTS[0])), row, quota[0])
        likely = probabilities(shares, plan)
    assert (quota.shape, quota.dtype) == (plan.log2phy.shape, torch.int64)
    assert (slot.shape, slot.dtype) == ((16, 2), torch.int32)
    assert (likely.shape, likely.dtype) == (plan.log2phy.shape, torch.float32)
