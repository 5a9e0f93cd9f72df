"""Plans that follow others in PyTorch: compiled, under torch.func, recorded, and of tensors that have no values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functionalize, grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from eplb_xp import Plan, Policy, rebalance_experts
from tests.support.torch_kinds import Held

RNG = np.random.default_rng(0)
# Without swaps, for what is planned anew.
LIGHT = Policy(rounds=0)
SIZES = (9, 1, 1, 3)
WEIGHTS = RNG.lognormal(0, 1, (2, 2, 2, 6)).astype(np.float32)  # [batch, samples, layers, experts]
PREVIOUS = rebalance_experts(WEIGHTS[0, 0], *SIZES, policy=LIGHT).phy2log
PREVIOUS[1, 4] = -1


def plan(weight: Any, policy: Any = LIGHT, **options: Any) -> Any:
    return rebalance_experts(weight, *SIZES, policy=policy, **options)


def its(weight: Any, values: Any) -> Any:
    """An array of the library of the loads, made of them, so that all that transforms these transforms it too."""
    nothing = 0 * weight[0, 0, 0]
    if not isinstance(weight, torch.Tensor):
        return np.asarray(values) + nothing.astype(np.asarray(values).dtype)
    array = torch.asarray(values)
    return array + nothing.to(array.dtype)


# Every way to a plan, of loads [samples, layers, experts].
WAYS: dict[str, Callable[[Any], Any]] = {
    "follow": lambda weight: plan(weight, previous=its(weight, PREVIOUS), max_moves=2),
    "follow or renew": lambda weight: plan(weight, previous=its(weight, PREVIOUS), max_moves=its(weight, [2, 9])),
    "renew": lambda weight: plan(weight, previous=its(weight, PREVIOUS), min_gain=its(weight, 0.01)),
    "samples": lambda weight: plan(weight, policy=Policy(rounds=1)),
    "weights": lambda weight: plan(weight[:1], sample_weights=weight[:1, 0, 0]),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def assert_as_numpy(found: Any, want: Any) -> None:
    assert isinstance(found, Plan)
    for ours, theirs in zip(found, want, strict=True):
        np.testing.assert_array_equal(ours.detach().numpy(), theirs)
        assert not ours.requires_grad


ONE, OTHER = map(torch.asarray, WEIGHTS)


def test_compiled_without_a_graph_break() -> None:
    # The others have few steps more, and all take ten seconds and more to capture.
    way = WAYS["follow"]
    torch.compiler.reset()
    compiled = torch.compile(way, fullgraph=True, backend="eager")
    for weight in WEIGHTS:
        assert_as_numpy(compiled(torch.asarray(weight)), way(weight))


@every_way
def test_torch_func_inside_of_a_compiled_program(way: Callable[[Any], Any]) -> None:
    torch.compiler.reset()
    each = torch.compile(vmap(way), fullgraph=True, backend="eager")(torch.asarray(WEIGHTS))
    for i in range(2):
        assert_as_numpy(Plan(*(x[i] for x in each)), way(WEIGHTS[i]))


@every_way
def test_transforms(way: Callable[[Any], Any]) -> None:
    want = [way(weight) for weight in WEIGHTS]
    both = torch.asarray(WEIGHTS)
    each = vmap(way)(both)
    for i in range(2):
        assert_as_numpy(Plan(*(x[i] for x in each)), want[i])
    assert_as_numpy(functionalize(way)(ONE), want[0])
    assert_as_numpy(make_fx(way)(ONE)(OTHER), want[1])
    assert_as_numpy(Plan(*(x[1] for x in make_fx(vmap(way))(both)(both))), want[1])
    assert_as_numpy(way(ONE.clone().requires_grad_()), want[0])

    def loss(weight: torch.Tensor) -> torch.Tensor:
        return weight.square().sum() * sum(x.sum() for x in way(weight))

    total = sum(int(x.sum()) for x in want[0])
    torch.testing.assert_close(grad(loss)(ONE), 2 * ONE * total)


@every_way
def test_tensors_without_values_have_shapes_and_dtypes(way: Callable[[Any], Any]) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        found = way(mode.from_tensor(ONE))
    assert isinstance(found, Plan)
    assert [(x.shape, x.dtype) for x in found] == [(x.shape, torch.int64) for x in way(WEIGHTS[0])]


@every_way
def test_subclasses(way: Callable[[Any], Any]) -> None:
    assert_as_numpy(Plan(*(x + 0 for x in way(Held(ONE)))), way(WEIGHTS[0]))


def test_batches_of_budgets_and_previous_plans() -> None:
    def within(previous: torch.Tensor, budget: torch.Tensor) -> Plan[torch.Tensor]:
        return plan(ONE, previous=previous, max_moves=budget)

    previous = torch.asarray(np.stack([PREVIOUS, PREVIOUS[::-1], PREVIOUS[:, ::-1]]))
    budgets = torch.tensor([0, 1, 5])
    each = vmap(within)(previous, budgets)
    for i in range(3):
        want = plan(WEIGHTS[0], previous=previous[i].numpy(), max_moves=int(budgets[i]))
        assert_as_numpy(Plan(*(x[i] for x in each)), want)
    by_budget = vmap(within, in_dims=(None, 0))(previous[0], budgets)
    assert_as_numpy(Plan(*(x[2] for x in by_budget)), plan(WEIGHTS[0], previous=PREVIOUS, max_moves=5))
