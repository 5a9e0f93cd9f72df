"""Under torch.func, make_fx and their likes every step is one operator: its results are the eager ones."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functionalize, grad, jacfwd, jacrev, jvp, vjp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

from eplb_xp import Plan, evaluate, replicate_experts
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.backends.tensors.operators import OPERATORS
from tests.support.torch_plans import FUNCTIONS, assert_as_numpy, every_function, few

Function = Callable[[Any], Any]
ONE, OTHER = few(1), few(2)
BOTH = torch.stack([ONE, OTHER])
PLAN = FUNCTIONS["rebalance"](ONE)


@every_function
@pytest.mark.parametrize("switch", ["0", "triton"])
def test_functionalize(function: Function, switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, switch)
    assert_as_numpy(functionalize(function)(ONE), function, ONE)


@every_function
@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx_records_the_step(function: Function, mode: Any) -> None:
    assert_as_numpy(make_fx(function, tracing_mode=mode)(ONE)(OTHER), function, OTHER)


@every_function
def test_transforms_of_transforms(function: Function) -> None:
    assert_as_numpy(make_fx(functionalize(function))(ONE)(OTHER), function, OTHER)
    assert_as_numpy(make_fx(vmap(function))(torch.stack([ONE, ONE]))(BOTH), function, ONE, OTHER)
    nested = vmap(vmap(function, in_dims=1))(torch.stack([BOTH, BOTH]).movedim(1, 2))
    assert_as_numpy([x.flatten(0, 1) for x in nested], function, ONE, OTHER, ONE, OTHER)


@every_function
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_vmap(function: Function, axis: int) -> None:
    assert_as_numpy(vmap(function, in_dims=axis, chunk_size=1)(BOTH.movedim(0, axis)), function, ONE, OTHER)
    assert_as_numpy(vmap(function, in_dims=axis)(BOTH.movedim(0, axis)), function, ONE, OTHER)


def test_vmap_over_layers_and_over_nothing() -> None:
    counts = vmap(lambda row: replicate_experts(row[None], 12)[2][0])(ONE)
    assert torch.equal(counts, replicate_experts(ONE, 12)[2])
    none = vmap(lambda weight: replicate_experts(weight, 12)[2])(torch.empty(0, 3, 8))
    assert none.shape == (0, 3, 8)


def loss_of(function: Function) -> Function:
    """A float of the loads and of all results."""
    return lambda weight: sum(weight.square().sum() * x.sum() for x in function(weight))


@every_function
def test_derivatives_go_past_the_step(function: Function) -> None:
    loss = loss_of(function)
    expected = 2 * ONE * sum(x.sum() for x in function(ONE))
    for derivative in (grad(loss)(ONE), vjp(loss, ONE)[1](torch.tensor(1.0))[0], jacrev(loss)(ONE), jacfwd(loss)(ONE)):
        torch.testing.assert_close(derivative, expected)
    torch.testing.assert_close(jvp(loss, (ONE,), (torch.ones(3, 8),))[1], expected.sum())
    torch.testing.assert_close(vmap(grad(loss))(BOTH)[0], expected)


@every_function
def test_results_need_no_gradient(function: Function) -> None:
    made = function(ONE.clone().requires_grad_())
    assert_as_numpy(made, function, ONE)
    assert not any(x.requires_grad for x in made)
    made, change = jvp(lambda weight: tuple(function(weight)), (ONE,), (ONE,))[:2]
    assert_as_numpy(made, function, ONE)
    assert not any(x.any() for x in change)
    with forward_ad.dual_level():
        made = function(forward_ad.make_dual(ONE, ONE))
        assert all(forward_ad.unpack_dual(x).tangent is None for x in made)


@every_function
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoint(function: Function, reentrant: bool) -> None:
    weight = ONE.clone().requires_grad_()
    checkpoint(loss_of(function), weight, use_reentrant=reentrant).backward()
    torch.testing.assert_close(weight.grad, grad(loss_of(function))(ONE))


def test_only_one_of_plan_and_loads_is_transformed() -> None:
    turned = Plan(*(x.flip(0) for x in PLAN))
    by_loads = vmap(lambda weight: evaluate(PLAN, weight, 4))(BOTH)
    for ours, one, other in zip(by_loads, evaluate(PLAN, ONE, 4), evaluate(PLAN, OTHER, 4), strict=True):
        assert torch.equal(ours, torch.stack([one, other]))
    by_plans = vmap(lambda plan: evaluate(plan, ONE, 4))(Plan(*map(torch.stack, zip(PLAN, turned, strict=True))))
    for ours, one, other in zip(by_plans, evaluate(PLAN, ONE, 4), evaluate(turned, ONE, 4), strict=True):
        assert torch.equal(ours, torch.stack([one, other]))
    gap = evaluate(PLAN, ONE, 4).gap.sum()
    assert torch.equal(grad(lambda weight: weight.sum() * evaluate(PLAN, weight, 4).gap.sum())(ONE), gap.expand(3, 8))


@every_function
def test_loads_from_outside_of_a_transform(function: Function) -> None:
    _, made = grad(lambda weight: (weight.sum(), tuple(function(OTHER))), has_aux=True)(ONE)
    assert_as_numpy(made, function, OTHER)
    assert_as_numpy(vmap(lambda _: function(OTHER))(ONE[:2]), function, OTHER, OTHER)
    made = jvp(lambda _: tuple(function(OTHER)), (ONE,), (ONE,))[0]
    assert_as_numpy(made, function, OTHER)
    assert_as_numpy(functionalize(lambda _: function(OTHER))(ONE), function, OTHER)


@every_function
def test_jit_trace_records_the_step(function: Function) -> None:
    with warnings.catch_warnings(action="ignore"):  # that it is deprecated, and that sizes are static
        traced: Any = torch.jit.trace(lambda weight: tuple(function(weight)), (ONE,))
    assert_as_numpy(traced(OTHER), function, OTHER)


# What calls each operator.
CALLED = {
    "plan": "rebalance",
    "place": "hierarchical",
    "pack_items": "packing",
    "replicate_loads": "replication",
    "report": "evaluation",
    "shared_report": "shared evaluation",
    "prepare": "prepared shares",
    "share": "prepared shares",
    "share_of_plan": "shares",
    **dict.fromkeys(("plan_for_samples", "follow", "follow_or_renew", "renew", "weighed"), "following"),
    **dict.fromkeys(("frontier", "spend"), "frontier"),
    **dict.fromkeys(("moves", "logical_maps", "expert_counts", "expert_floats"), "moving"),
    **dict.fromkeys(("quotas", "quotas_of_rank", "probabilities", "route_in_turn", "route_by_quota"), "routing"),
}


class Seen(torch.fx.Interpreter):
    """Keeps what operators are given."""

    def __init__(self, module: torch.fx.GraphModule) -> None:
        super().__init__(module)
        self.given: dict[Any, Any] = {}

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        self.given[target] = args
        return super().call_function(target, args, kwargs)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_what_torch_expects(name: str) -> None:
    operator = getattr(torch.ops.eplb_xp, name).default
    seen = Seen(make_fx(FUNCTIONS[CALLED[name]])(ONE))
    seen.run(ONE)
    *tensors, loads, sizes, integers, floats = seen.given[operator]
    if not OPERATORS[name].dtypes:  # with a gradient all results are added up, which torch can't with floats among them
        loads = loads.clone().requires_grad_(loads.is_floating_point())
    checks = torch.library.opcheck(operator, (*tensors, loads, sizes, integers, floats))
    assert set(checks.values()) == {"SUCCESS"}
