"""vLLM's contract to come, of windows of loads, and plans that are made elsewhere."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from eplb_xp import evaluate, rebalance_experts
from tests.support import engines
from tests.support.engines import LOAD, RANKS, SLOTS, STEPS, is_placement
from tests.support.vllm_policy import OLD, policy


def context() -> engines.Context:
    topology = SimpleNamespace(num_groups=1, num_nodes=1, num_ranks=RANKS)
    return engines.Context(torch.asarray(STEPS), OLD, topology, SLOTS)


@pytest.mark.parametrize("method", ["plan_rebalance", "rebalance_experts"])
def test_a_window_of_samples(method: str) -> None:
    """The contract to come, under both of its names, on an instance: few moves that are good for all samples."""
    ours = policy(max_moves="10%", samples=3)()
    plan = getattr(ours, method)(context(), object())
    assert isinstance(plan, engines.EplbPlan)
    new = plan.physical_to_logical_map
    assert new.dtype == torch.int64
    assert new.device.type == "cpu"
    assert is_placement(new)
    weight = torch.asarray(np.stack([STEPS[i : i + 2].sum(axis=0) for i in (0, 2, 4)]))
    expected = rebalance_experts(weight, SLOTS, 1, 1, RANKS, previous=OLD, max_moves=SLOTS // 10)
    assert torch.equal(new, expected.phy2log)


def test_a_window_without_a_budget_is_summed() -> None:
    new = policy()().plan_rebalance(context()).physical_to_logical_map
    assert torch.equal(new, policy().rebalance_experts(torch.asarray(LOAD), SLOTS, 1, 1, RANKS, OLD))


def test_plans_are_as_good_as_fresh_ones() -> None:
    load = torch.asarray(LOAD)
    followed = policy().rebalance_experts(load, SLOTS, 1, 1, RANKS, OLD)
    fresh = rebalance_experts(load, SLOTS, 1, 1, RANKS)
    assert torch.equal(evaluate((followed,) * 3, load, RANKS).balancedness, evaluate(fresh, load, RANKS).balancedness)


def test_where_there_is_no_gpu_the_cpu_plans(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    load = torch.asarray(LOAD)
    for _ in range(2):
        made = policy(device="cuda").rebalance_experts(load, SLOTS, 1, 1, RANKS, OLD)
        assert torch.equal(made, policy().rebalance_experts(load, SLOTS, 1, 1, RANKS, OLD))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "EPLB_XP_PLAN_ON=cuda needs loads of PyTorch and a GPU that it finds" in warning


@pytest.mark.cuda
@pytest.mark.parametrize("default", [engines.OfPhy2log, engines.OfTriple])
def test_plans_made_on_a_gpu_come_back(default: type) -> None:
    load = torch.asarray(LOAD)
    on_cpu = policy(default, max_moves="10%").rebalance_experts(load, SLOTS, 1, 1, RANKS, OLD)
    on_gpu = policy(default, max_moves="10%", device="cuda").rebalance_experts(load, SLOTS, 1, 1, RANKS, OLD)
    there = policy(default, max_moves="10%").rebalance_experts(load.cuda(), SLOTS, 1, 1, RANKS, OLD.cuda())
    if default is engines.OfPhy2log:
        assert torch.equal(on_cpu, on_gpu)
        assert torch.equal(on_cpu, there)
        assert there.device.type == "cpu"
    else:
        assert all(x.device.type == "cuda" and torch.equal(x.cpu(), y) for x, y in zip(there, on_cpu, strict=True))
