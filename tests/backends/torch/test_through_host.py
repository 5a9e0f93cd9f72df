"""Plans on a device that no kernel makes, by way of the host: only where that is asked for."""

import logging
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp import frontier, rebalance_experts
from eplb_xp.algorithms import pipeline
from eplb_xp.backends.takeover import SWITCH, Refusal
from eplb_xp.backends.tensors import through_host as by_host
from eplb_xp.backends.tensors.library import LIBRARY, PLANS
from eplb_xp.backends.tensors.through_host import HOST, through_host
from eplb_xp.policy import as_policy
from eplb_xp.sizes import Sizes
from tests.support.torch_plans import assert_same

SIZES = Sizes(20, 1, 1, 4, None)


def loads(layers: int, experts: int) -> torch.Tensor:
    rng = np.random.default_rng(layers)
    return torch.asarray(rng.lognormal(0, 1, (layers, experts)).astype(np.float32))


def sent(weight: torch.Tensor) -> Any:
    return through_host(pipeline.plan, "too many experts", LIBRARY, weight, sizes=SIZES, policy=as_policy("swap"))


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    by_host._say_once.cache_clear()


def test_the_plan_is_the_same_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST, "1")
    weight = loads(3, 16)
    before = weight.clone()
    made = sent(weight.requires_grad_())
    assert_same(made, rebalance_experts(weight, 20, 1, 1, 4, policy="swap"))
    assert type(made).__name__ == "Plan"
    assert not any(result.requires_grad for result in made)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("value", [None, "0"])
def test_without_it_that_is_said_once(
    value: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(HOST, raising=False)
    if value:
        monkeypatch.setenv(HOST, value)
    with caplog.at_level(logging.INFO, logger="eplb_xp"):
        for _ in range(3):
            assert sent(loads(1, 16)) == Refusal("too many experts")
    (said,) = caplog.messages
    assert said == (
        "plan runs as eager PyTorch on cpu, which may take seconds: too many experts; "
        "EPLB_XP_HOST=1 lets it go through the host"
    )


def test_other_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST, "yes")
    with pytest.raises(ValueError, match="EPLB_XP_HOST must be 0 or 1, got 'yes'"):
        sent(loads(1, 16))


def test_all_plans_may_go_through_the_host() -> None:
    assert {step.__name__ for step in PLANS} == {
        *("plan", "place", "pack_items", "follow", "follow_or_renew", "renew", "frontier", "plan_for_samples")
    }


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_on_a_gpu_what_no_kernel_takes(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST, "1")
    monkeypatch.delenv(SWITCH, raising=False)
    weight = (loads(2, 1100) * 100).to(dtype)
    sizes = 1104, 1, 1, 8  # more experts than kernels take
    expected = rebalance_experts(weight, *sizes)
    made = rebalance_experts(weight.cuda(), *sizes)
    assert all(result.is_cuda and result.dtype == torch.int64 for result in made)
    assert_same(made, expected)
    few = rebalance_experts(weight.cuda().flip(0), *sizes, previous=made, max_moves=20)
    assert_same(few, rebalance_experts(weight.flip(0), *sizes, previous=expected, max_moves=20))


@pytest.mark.cuda
def test_on_a_gpu_steps_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST, "1")
    monkeypatch.delenv(SWITCH, raising=False)
    weight = loads(3, 16)
    sizes = 20, 1, 1, 4
    for samples in (weight.expand(2, 3, 16), torch.stack([weight, weight.flip(1)])):
        assert_same(rebalance_experts(samples.cuda(), *sizes), rebalance_experts(samples, *sizes))
    used = rebalance_experts(weight.flip(1), *sizes)
    on_gpu = type(used)(*(x.cuda() for x in used))
    found = frontier(weight.cuda(), *sizes, previous=on_gpu, max_moves=5)
    expected = frontier(weight, *sizes, previous=used, max_moves=5)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.is_cuda
        assert torch.equal(ours.cpu(), theirs)


@pytest.mark.cuda
def test_a_cuda_graph_does_not_wait_for_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST, "1")
    weight = loads(1, 16).cuda()
    torch.cuda.synchronize()
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        made = sent(weight)
        weight.add_(1)  # a graph that has nothing in it is warned of
    assert made == Refusal("too many experts, and a CUDA graph can't wait for the host")
