"""PyTorch as its users use it: on any device, in inference mode, under torch.compile."""

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp import (
    POLICIES,
    Plan,
    Policy,
    balanced_packing,
    check_loads,
    evaluate,
    rebalance_experts,
    replicate_experts,
)
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.backends.torch import Torch


def plan_for(weight: torch.Tensor) -> Plan[torch.Tensor]:
    return rebalance_experts(weight, num_replicas=80, num_groups=8, num_nodes=2, num_gpus=8, policy="greedy")


on_devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])


def loads(seed: int = 0, layers: int = 6, device: str = "cpu") -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.asarray(rng.lognormal(0, 1, (layers, 64)).astype(np.float32), device=device)


def assert_same(result: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...]) -> None:
    for ours, theirs in zip(result, expected, strict=True):
        assert torch.equal(ours.cpu(), theirs.cpu())


@on_devices
def test_results_are_int64_on_the_device_of_the_loads(device: str) -> None:
    weight = loads(device=device)
    plan = plan_for(weight)
    assert isinstance(plan, Plan)
    for x in (*plan, *balanced_packing(weight, 8), *replicate_experts(weight, 80)):
        assert x.device == weight.device
        assert x.dtype == torch.int64
    assert_same(plan, plan_for(weight.cpu()))


@on_devices
def test_inference_mode_and_gradients(device: str) -> None:
    weight = loads(device=device)
    expected = plan_for(weight)
    with torch.inference_mode():
        assert_same(plan_for(weight), expected)
        assert_same(plan_for(weight * 1), expected)
    parameter = torch.nn.Parameter(weight.clone())
    plan = plan_for(parameter * 1)
    assert_same(plan, expected)
    (parameter / plan.logcnt).sum().backward()
    assert parameter.grad is not None
    assert torch.equal(parameter.grad, 1 / expected.logcnt)


@on_devices
def test_any_strides(device: str) -> None:
    weight = loads(device=device)
    expected = plan_for(weight)
    spread = torch.full((12, 128), torch.nan, device=device)
    spread[::2, 1::2] = weight
    for given in (spread[::2, 1::2], weight.T.contiguous().T, weight.flip(0).flip(0)):
        before = given.clone()
        assert_same(plan_for(given), expected)
        assert torch.equal(given, before)
    assert_same(plan_for(weight[:1].expand(3, 64)), plan_for(weight[:1].repeat(3, 1)))


def test_compile_without_a_graph_break() -> None:
    def step(weight: torch.Tensor) -> tuple[Any, torch.Tensor]:
        plan = plan_for(weight * 2)
        return plan, weight.gather(-1, plan.phy2log)

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True)
    start = time.perf_counter()
    compiled(loads())
    assert time.perf_counter() - start < 60
    for seed in range(5):
        weight = loads(seed)
        weight = torch.round(weight) if seed % 2 else weight  # ties and idle experts
        plan, gathered = compiled(weight)
        assert_same(plan, plan_for(weight))
        assert torch.equal(gathered, weight.gather(-1, plan.phy2log))


# With three slots a GPU swaps are passed on, with four there are pairs of them. Inductor takes most of a minute for a
# plan with everything: so one has starts and a cap too, and the default as it is goes through the same capture without.
MANY_STARTS = replace(POLICIES["joint"], starts=3, noise=0.5)


@pytest.mark.parametrize(
    ("backend", "policy", "cap", "sizes"),
    [("aot_eager", "joint", None, (6, 9, 3)), ("inductor", MANY_STARTS, 3, (8, 16, 4))],
    ids=["default, captured", "starts and a cap, compiled"],
)
def test_compile_with_other_counts(backend: str, policy: str | Policy, cap: int | None, sizes: tuple[int, ...]) -> None:
    experts, replicas, gpus = sizes

    def step(weight: torch.Tensor) -> Plan[torch.Tensor]:
        return rebalance_experts(weight, replicas, 1, 1, gpus, policy=policy, max_replicas=cap)

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True, backend=backend)
    for seed in range(4):
        weight = loads(seed)[:, :experts].contiguous()  # other strides would compile anew
        weight = torch.round(weight * 10) if seed % 2 else weight  # ties and idle experts
        assert_same(compiled(weight), step(weight))


# On a GPU


def reads_of(function: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """How often the host waited for the device, and how often a loop read its condition."""
    conditions = 0
    original = Torch.while_loop

    def counting(self: Torch, cond: Callable[[Any], Any], body: Callable[[Any], Any], carry: Any) -> Any:
        def counted(carry: Any) -> Any:
            nonlocal conditions
            conditions += 1
            return cond(carry)

        return original(self, counted, body, carry)

    monkeypatch.setattr(Torch, "while_loop", counting)
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            function()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return len([w for w in caught if "called a synchronizing" in str(w.message)]), conditions


@pytest.mark.cuda
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


@pytest.mark.cuda
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


@pytest.mark.cuda
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("sizes", [(288, 8, 4, 32), (384, 1, 1, 128)], ids=["288/32", "384/128"])
def test_plans_of_real_size_on_a_gpu(policy: str, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng()
    weight = torch.asarray(rng.lognormal(0, rng.uniform(0.3, 1.6), (58, 256)).astype(np.float32))
    weight = torch.round(weight * 10) if rng.random() < 0.5 else weight  # ties and idle experts
    made = rebalance_experts(weight.cuda(), *sizes, policy=policy)
    expected = rebalance_experts(weight.numpy(), *sizes, policy=policy)
    assert_same(made, tuple(map(torch.asarray, expected)))


@pytest.mark.cuda
def test_device_loads_are_not_read() -> None:
    weight = loads(device="cuda")
    weight[2, 5] = torch.nan
    clean = weight.clone()
    clean[2, 5] = 0
    assert_same(plan_for(weight), plan_for(clean))
    with pytest.raises(ValueError, match=r"the first nan at \[2, 5\]"):
        check_loads(weight)


@pytest.mark.cuda
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


@pytest.mark.cuda
@pytest.mark.parametrize("compiled", [False, True])
def test_no_gap_is_negative_on_a_gpu(compiled: bool) -> None:
    # One slot a GPU: the busiest GPU is the bound itself, but for a division that is not exact.
    weight = torch.rand((58, 256), device="cuda")
    phy2log = torch.arange(256, device="cuda").expand(58, 256)

    def gap(weight: torch.Tensor) -> torch.Tensor:
        return evaluate((phy2log,) * 3, weight, 256).gap

    torch.compiler.reset()
    assert (torch.compile(gap)(weight) if compiled else gap(weight)).min() >= 0


@pytest.mark.cuda
def test_reports_agree_between_devices() -> None:
    weight = loads(device="cuda")
    plan = plan_for(weight)
    report = evaluate(plan, weight, 8, num_groups=8, num_nodes=2)
    expected = evaluate(Plan(*(x.cpu() for x in plan)), weight.cpu(), 8, num_groups=8, num_nodes=2)
    for ours, theirs in zip(report, expected, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-6, atol=1e-6)
