"""Under torch.compile and torch.export."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.func import grad, vmap

from eplb_xp import (
    POLICIES,
    Plan,
    Policy,
    Shares,
    evaluate,
    prepare_shares,
    rebalance_experts,
    replicate_experts,
    share_tokens,
)
from eplb_xp.algorithms.counts.candidates import fingerprints
from eplb_xp.algorithms.counts.offspring import Parents, offspring
from eplb_xp.backends.tensors.library import LIBRARY
from eplb_xp.policy import MOST_SEED
from tests.support.torch_plans import assert_as_numpy, assert_same, every_function, few, loads, plan_for


def test_compile_without_a_graph_break() -> None:
    def step(weight: torch.Tensor) -> tuple[Any, torch.Tensor]:
        plan = plan_for(weight * 2)
        return plan, weight.gather(-1, plan.phy2log)

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True)
    start = time.process_time()  # of other tests' compilers and of the first one's headers it knows nothing
    compiled(loads())
    assert time.process_time() - start < 60
    for seed in range(5):
        weight = loads(seed)
        weight = torch.round(weight) if seed % 2 else weight  # ties and idle experts
        plan, gathered = compiled(weight)
        assert_same(plan, plan_for(weight))
        assert torch.equal(gathered, weight.gather(-1, plan.phy2log))


# With three slots a GPU all are shaken, with four there are exchanges. Inductor takes most of a minute for a plan with
# one generation, and twice that with more: these go through the same capture without it, as starts do.
STARTS = replace(POLICIES["multistart"], starts=3, noise=0.5)
ONE_GENERATION = replace(POLICIES["joint"], generations=1)


@pytest.mark.parametrize(
    ("backend", "policy", "cap", "sizes"),
    [
        ("aot_eager", "joint", None, (6, 9, 3)),
        ("aot_eager", STARTS, None, (6, 9, 3)),
        ("inductor", ONE_GENERATION, 3, (8, 16, 4)),
    ],
    ids=["default, captured", "starts, captured", "one generation and a cap, compiled"],
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


def test_what_is_drawn_is_the_same_when_compiled() -> None:
    rng = np.random.default_rng(0)
    spare = torch.asarray(rng.integers(0, 5, (3, 2, 4)))
    count = 1 + (spare[:, :, :, None] == torch.arange(5)).sum(dim=2)
    parents = Parents(spare, count, torch.tensor([[1], [2], [2]]))

    def step(load: torch.Tensor, generation: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = offspring(LIBRARY, load, parents, generation, number=7, most=3, seed=MOST_SEED)
        return *found, fingerprints(LIBRARY, found.count)

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True)
    for seed in range(4):
        given = loads(seed)[:3, :5].contiguous(), torch.tensor([[2], [3], [1024]]) + seed
        assert_same(compiled(*given), step(*given))


def test_shares_without_a_graph_break() -> None:
    plan = rebalance_experts(few(), 12, 1, 1, 4)
    prepared = prepare_shares(plan, 4)

    def step(weight: torch.Tensor, tolerance: torch.Tensor) -> Shares[torch.Tensor]:
        return share_tokens(plan, weight, 4, prepared=prepared, tolerance=tolerance)

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    for seed in range(3):
        given = few(seed), torch.tensor(0.01 * seed)
        for ours, theirs in zip(compiled(*given), step(*given), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@every_function
def test_torch_func_inside_of_a_compiled_program(function: Callable[[Any], Any]) -> None:
    torch.compiler.reset()
    both = torch.stack([few(1), few(2)])
    compiled = torch.compile(vmap(function), fullgraph=True, backend="aot_eager")
    assert_as_numpy(compiled(both), function, few(1), few(2))

    def loss(weight: torch.Tensor) -> torch.Tensor:
        return weight.square().sum() * function(weight)[-1].sum()

    derivative = torch.compile(grad(loss), fullgraph=True, backend="aot_eager")(few(1))
    torch.testing.assert_close(derivative, grad(loss)(few(1)))


@pytest.mark.parametrize("strict", [False, True])
def test_export(strict: bool) -> None:
    class Step(torch.nn.Module):
        def forward(self, weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return counted(weight)

    def counted(weight: Any) -> tuple[Any, ...]:
        made = replicate_experts(weight, 12)
        return (*made, *evaluate(made, weight, 4))

    exported = torch.export.export(Step(), (few(1),), strict=strict)
    assert_as_numpy(exported.module()(few(2)), counted, few(2))
