"""Triton's kernels on a GPU, launched on streams, in graphs and on devices: nothing makes the host wait."""

import numpy as np
import pytest
import torch

from tests.support.cuda import CUDA, POISON, Sizes, assert_equal, every_policy, every_route, loads, no_waiting, planned

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]


@every_route
@every_policy
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_the_host_never_waits(experts: int, sizes: Sizes, policy: str, dtype: str) -> None:
    rng = np.random.default_rng(7)
    planned(CUDA.asarray(loads(rng, 58, experts, dtype)), sizes, policy)
    weight = CUDA.asarray(loads(rng, 58, experts, dtype))
    with no_waiting():
        made = planned(weight, sizes, policy)
    assert_equal(made, weight, sizes, policy)


@every_route
@every_policy
@pytest.mark.parametrize("is_poisoned", [False, True])
def test_replays_of_a_captured_graph(
    experts: int, sizes: Sizes, policy: str, is_poisoned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With poison every replay begins from it; without, from what the replay before has left."""
    if not is_poisoned:
        monkeypatch.undo()
    rng = np.random.default_rng(8)
    weight = CUDA.asarray(loads(rng, 58, experts))
    planned(weight, sizes, policy)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = planned(weight, sizes, policy)
    for _ in range(4):
        weight.copy_(CUDA.asarray(loads(rng, 58, experts)))
        for x in made:
            x.fill_(POISON)
        graph.replay()
        assert_equal(made, weight, sizes, policy)


@every_route
def test_the_current_stream(experts: int, sizes: Sizes) -> None:
    rng = np.random.default_rng(9)
    old, new = (CUDA.asarray(loads(rng, 58, experts)) for _ in range(2))
    planned(old, sizes, "joint")
    weight = old.clone()
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10**8)  # some 50 ms, in which a plan on any other stream would take the old loads
        weight.copy_(new)
        made = planned(weight, sizes, "joint")
    stream.synchronize()
    assert_equal(made, new, sizes, "joint")


@every_route
def test_plans_on_several_streams_at_once(experts: int, sizes: Sizes) -> None:
    rng = np.random.default_rng(10)
    weights = [CUDA.asarray(loads(rng, 400, experts)) for _ in range(4)]
    planned(weights[0], sizes, "joint")
    torch.cuda.synchronize()
    made = []
    for weight in weights:
        with torch.cuda.stream(torch.cuda.Stream()):
            made.append(planned(weight, sizes, "joint"))
    torch.cuda.synchronize()
    for one, weight in zip(made, weights, strict=True):
        assert_equal(one, weight, sizes, "joint")


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch finds no second CUDA device")
@every_route
def test_a_device_that_is_not_the_current_one(experts: int, sizes: Sizes) -> None:
    values = loads(np.random.default_rng(11), 58, experts)
    with torch.cuda.device(0):
        for device in ("cuda:1", "cuda:0", "cuda:1"):
            weight = torch.asarray(values, device=device)
            made = planned(weight, sizes, "joint")
            assert {x.device for x in made} == {weight.device}
            assert torch.cuda.current_device() == 0
            assert_equal(made, weight, sizes, "joint")
