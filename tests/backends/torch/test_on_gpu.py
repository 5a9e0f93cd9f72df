"""On a GPU: what the host waits for, and the plans of eager and compiled programs."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp import POLICIES, Plan, check_loads, evaluate, rebalance_experts, replicate_experts
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.backends.tensors.library import Torch
from tests.support.torch_plans import assert_same, loads, plan_for

pytestmark = pytest.mark.cuda


def reads_of(function: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """How often the host waited for the device, and how often a loop read its condition."""
    conditions = 0

    def counted(loop: Callable[..., Any]) -> Callable[..., Any]:
        def counting(self: Torch, goes_on: Callable[[Any], Any], *others: Any) -> Any:
            def condition(carry: Any) -> Any:
                nonlocal conditions
                conditions += 1
                return goes_on(carry)

            return loop(self, condition, *others)

        return counting

    for name in ("while_loop", "while_rows"):
        monkeypatch.setattr(Torch, name, counted(getattr(Torch, name)))
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            function()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return len([w for w in caught if "called a synchronizing" in str(w.message)]), conditions


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.int32])
def test_the_host_reads_only_the_conditions_of_loops(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    weight = (loads(layers=58, device="cuda") * 100).to(dtype)
    evaluate(plan_for(weight), weight, 8)
    waits, conditions = reads_of(lambda: plan_for(weight), monkeypatch)
    assert waits == conditions
    waits, conditions = reads_of(lambda: evaluate(plan_for(weight), weight, 8), monkeypatch)
    assert waits == conditions
    assert 6 <= conditions < 60  # three loops, each of some rounds and one more


@pytest.mark.parametrize("policy", POLICIES)
def test_the_host_reads_only_the_conditions_of_loops_under_any_policy(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "0")
    weight = loads(layers=58, device="cuda")

    def plan() -> Plan[torch.Tensor]:
        return rebalance_experts(weight, 80, 8, 2, 8, policy=policy)

    plan()
    waits, conditions = reads_of(plan, monkeypatch)
    assert waits == conditions


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("sizes", [(288, 8, 4, 32), (384, 1, 1, 128)], ids=["288/32", "384/128"])
def test_plans_of_real_size_on_a_gpu(policy: str, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng()
    weight = torch.asarray(rng.lognormal(0, rng.uniform(0.3, 1.6), (58, 256)).astype(np.float32))
    weight = torch.round(weight * 10) if rng.random() < 0.5 else weight  # ties and idle experts
    made = rebalance_experts(weight.cuda(), *sizes, policy=policy)
    expected = rebalance_experts(weight.numpy(), *sizes, policy=policy)
    assert_same(made, tuple(map(torch.asarray, expected)))


def test_device_loads_are_not_read() -> None:
    weight = loads(device="cuda")
    weight[2, 5] = torch.nan
    clean = weight.clone()
    clean[2, 5] = 0
    assert_same(plan_for(weight), plan_for(clean))
    with pytest.raises(ValueError, match=r"the first nan at \[2, 5\]"):
        check_loads(weight)


def test_compile_on_a_gpu() -> None:
    def step(weight: torch.Tensor) -> Any:
        plan = plan_for(weight)
        swapped = rebalance_experts(weight, 72, 1, 1, 8, policy=replace(POLICIES["multistart"], starts=3))
        return plan, swapped, replicate_experts(weight, 80), evaluate(plan, weight, 8).doubled

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True)
    for seed in range(20):
        weight = loads(seed, device="cuda")
        weight = torch.round(weight) if seed % 2 else weight
        plan, swapped, replicas, doubled = compiled(weight)
        expected, expected_swapped, expected_replicas, expected_doubled = step(weight.cpu())
        assert_same(plan, expected)
        assert_same(swapped, expected_swapped)
        assert_same(replicas, expected_replicas)
        assert torch.equal(doubled.cpu(), expected_doubled)


@pytest.mark.parametrize("compiled", [False, True])
def test_no_gap_is_negative_on_a_gpu(compiled: bool) -> None:
    # One slot a GPU: the busiest GPU is the bound itself, but for a division that is not exact.
    weight = torch.rand((58, 256), device="cuda")
    phy2log = torch.arange(256, device="cuda").expand(58, 256)

    def gap(weight: torch.Tensor) -> torch.Tensor:
        return evaluate((phy2log,) * 3, weight, 256).gap

    torch.compiler.reset()
    assert (torch.compile(gap)(weight) if compiled else gap(weight)).min() >= 0


def test_reports_agree_between_devices() -> None:
    weight = loads(device="cuda")
    plan = plan_for(weight)
    report = evaluate(plan, weight, 8, num_groups=8, num_nodes=2)
    expected = evaluate(Plan(*(x.cpu() for x in plan)), weight.cpu(), 8, num_groups=8, num_nodes=2)
    for ours, theirs in zip(report, expected, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-6, atol=1e-6)
