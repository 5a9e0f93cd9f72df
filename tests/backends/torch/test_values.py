"""Plans and what they are made of: devices, dtypes, gradients, strides."""

import pytest
import torch

from eplb_xp import Plan, balanced_packing, prepare_shares, rebalance_experts, replicate_experts
from tests.support.torch_plans import assert_same, loads, plan_for

on_devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])


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


@on_devices
def test_what_is_prepared_has_no_gaps(device: str) -> None:
    """A kernel would have to close them in each call."""
    load = torch.arange(12, device=device).reshape(2, 6)
    prepared = prepare_shares(rebalance_experts(load, 8, 1, 1, 4), 4)
    assert all(x.is_contiguous() for x in prepared)
