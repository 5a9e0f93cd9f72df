"""Under torch.compile and torch.export a plan in host memory is an operator, inside of which native code plans."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from eplb_xp import POLICIES, Plan, frontier, rebalance_experts
from eplb_xp.backends.launching import from_numpy, searching
from eplb_xp.backends.takeover import NATIVE, OFF, SWITCH
from eplb_xp.sizes import check_sizes
from tests.support.native import needs_native, once_written_plan
from tests.support.torch_plans import assert_same

pytestmark = needs_native

SIZES = (48, 1, 1, 16)


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, NATIVE)
    torch.compiler.reset()


def loads(seed: int = 0, layers: int = 7) -> torch.Tensor:
    return torch.asarray(np.random.default_rng(seed).lognormal(5, 1, (layers, 32)).astype(np.float32))


def step(weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
    plan = rebalance_experts(weight * 2, *SIZES)
    return *plan, weight.gather(-1, plan.phy2log)


def expected(weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
    plan = once_written_plan(weight.numpy() * 2, check_sizes(32, *SIZES), POLICIES["joint"])
    maps = Plan(*map(torch.asarray, plan))
    return *maps, weight.gather(-1, maps.phy2log)


class Recorded:
    """A backend of torch.compile that keeps what it was given."""

    def __init__(self) -> None:
        self.graphs: list[torch.fx.GraphModule] = []

    def __call__(self, graph: torch.fx.GraphModule, _: Any) -> Any:
        self.graphs.append(graph)
        return graph.forward


def is_opaque(graph: torch.fx.GraphModule, step: str = "plan") -> bool:
    return any(str(node.target).removesuffix(".default") == f"eplb_xp.{step}" for node in graph.graph.nodes)


def test_a_plan_is_one_operator() -> None:
    backend = Recorded()
    compiled = torch.compile(step, fullgraph=True, backend=backend)
    with mock.patch.object(from_numpy, "plan", wraps=from_numpy.plan) as watched:
        for seed, layers in enumerate((7, 5, 9)):
            assert_same(compiled(loads(seed, layers)), expected(loads(seed, layers)))
    assert watched.call_count == 3
    assert [is_opaque(graph) for graph in backend.graphs] == [True, True]  # the second for any number of layers


# Steps that follow plans in use, or are for samples: what calls them, given such a plan and loads.
STEPS: dict[str, Callable[[Any, Any], tuple[Any, ...]]] = {
    "follow": lambda previous, weight: rebalance_experts(weight, *SIZES, previous=previous, max_moves=3),
    "follow_or_renew": lambda previous, weight: rebalance_experts(weight, *SIZES, previous=previous, max_moves=30),
    "renew": lambda previous, weight: rebalance_experts(weight, *SIZES, previous=previous),
    "frontier": lambda previous, weight: frontier(weight, *SIZES, previous=previous, max_moves=4),
    "plan_for_samples": lambda previous, weight: rebalance_experts(
        weight[None] * (previous[:2, 1:2, None] + 1), *SIZES
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_so_are_plans_that_follow_others_or_are_for_samples(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Recorded()
    compiled = torch.compile(lambda *given: tuple(STEPS[step](*given)), fullgraph=True, backend=backend)
    for seed, layers in enumerate((7, 5)):
        previous, weight = torch.arange(48).repeat(layers, 1) % 32, loads(seed, layers)
        with monkeypatch.context() as patch:
            patch.setenv(SWITCH, OFF)
            want = STEPS[step](previous.numpy(), weight.numpy())
        assert_same(compiled(previous, weight), tuple(map(torch.asarray, want)))
    assert len(backend.graphs) == 2
    assert all(is_opaque(graph, step) for graph in backend.graphs)


def test_all_steps_are_there() -> None:
    assert {*STEPS} == {step.__name__ for step in searching.STEPS}


def test_its_shapes_are_known_before() -> None:
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    assert_same(compiled(loads()), expected(loads()))


@pytest.mark.parametrize("strict", [False, True])
def test_export(strict: bool) -> None:
    class Step(torch.nn.Module):
        def forward(self, weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return step(weight)

    exported = torch.export.export(Step(), (loads(),), strict=strict)
    assert is_opaque(exported.graph_module)
    assert_same(exported.module()(loads(1)), expected(loads(1)))


def test_no_gradient_flows_through() -> None:
    def total(weight: torch.Tensor) -> torch.Tensor:
        return (weight * rebalance_experts(weight, *SIZES).logcnt).sum()

    weight = loads().requires_grad_()
    torch.compile(total, fullgraph=True, backend="aot_eager")(weight).backward()
    plan = once_written_plan(loads().numpy(), check_sizes(32, *SIZES), POLICIES["joint"])
    assert weight.grad is not None
    np.testing.assert_array_equal(weight.grad, plan.logcnt)


@pytest.mark.parametrize("why", ["switched off", "too many replicas", "not built"])
def test_else_the_once_written_code_is_traced(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "switched off":
        monkeypatch.setenv(SWITCH, "triton")
    elif why == "too many replicas":
        monkeypatch.setattr(from_numpy, "MOST_REPLICAS", 31)
    else:
        monkeypatch.setattr(from_numpy, "IS_BUILT", False)
    backend = Recorded()
    sizes = (32, 1, 1, 32)  # few operations
    greedy = torch.compile(
        lambda weight: rebalance_experts(weight, *sizes, policy="greedy"), fullgraph=True, backend=backend
    )
    plan = once_written_plan(loads().numpy(), check_sizes(32, *sizes), POLICIES["greedy"])
    assert_same(greedy(loads()), tuple(map(torch.asarray, plan)))
    assert not any(map(is_opaque, backend.graphs))
