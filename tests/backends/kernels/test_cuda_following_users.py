"""Plans that follow others on a GPU, as users ask for them: budgets, graphs, streams, torch's transforms."""

import logging
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch.func import vmap

from eplb_xp import Plan, rebalance_experts
from eplb_xp.algorithms.following import follow
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.backends.tensors.operators import as_operator
from tests.support.cuda import CUDA, POISON, no_waiting
from tests.support.cuda_following import SMALL, assert_equal, on_gpu
from tests.support.follow_kernels import Case, drawn
from tests.support.plans import assert_same

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]


def planned(previous: torch.Tensor, weight: torch.Tensor, **options: Any) -> Plan[torch.Tensor]:
    """As a user calls it."""
    options = {"max_moves": 4, **options}
    return rebalance_experts(weight, 24, 1, 1, 8, previous=previous, **options)


def of_users(seed: int, layers: int = 58) -> tuple[Case, torch.Tensor, torch.Tensor]:
    """Four moves in each layer."""
    given = drawn(seed, SMALL, layers, moves=4)
    given = given._replace(budget=np.full_like(given.budget, 4))
    return given, CUDA.asarray(given.previous), CUDA.asarray(given.weight[:, 0])


@pytest.mark.parametrize("min_gain", [0.0, 0.05])
@pytest.mark.parametrize("moves", [[0, 2, 24], 6, 24], ids=str)
def test_budgets_that_a_fresh_plan_may_be_within(
    moves: int | list[int], min_gain: float, poisoned: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """The kernels search, and what comes after it is the once-written code's."""
    given, previous, weight = of_users(60, 3)
    in_turn = moves if isinstance(moves, int) else np.array(moves)
    on_device = moves if isinstance(moves, int) else torch.tensor(moves, device="cuda")
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        made = planned(previous, weight, max_moves=on_device, min_gain=min_gain)
    assert not [message for message in caplog.messages if message.startswith("follow")]
    assert poisoned
    options: Any = {"previous": given.previous, "max_moves": in_turn, "min_gain": min_gain}
    want = rebalance_experts(given.weight[:, 0], 24, 1, 1, 8, **options)
    assert_same(Plan(*(x.numpy(force=True) for x in made)), want)


def test_the_host_never_waits(poisoned: list[int]) -> None:
    given, previous, weight = of_users(11)
    planned(previous, weight)
    before = len(poisoned)
    with no_waiting():
        made = planned(previous, weight)
    assert len(poisoned) > before, "the kernels did not run"
    assert_equal(made, given)


@pytest.mark.parametrize("is_poisoned", [False, True])
def test_replays_of_a_captured_graph(is_poisoned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With poison every replay begins from it; without, from what the replay before has left."""
    if not is_poisoned:
        monkeypatch.undo()
    _, previous, weight = of_users(12)
    planned(previous, weight)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = planned(previous, weight)
    for seed in range(4):
        given, other, loads = of_users(20 + seed)
        previous.copy_(other)
        weight.copy_(loads)
        for x in made:
            x.fill_(POISON)
        graph.replay()
        assert_equal(made, given)


def test_the_current_stream() -> None:
    _, previous, weight = of_users(13)
    given, other, loads = of_users(14)
    planned(previous, weight)
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10**8)  # some 50 ms, in which a plan on any other stream would be of the old loads
        previous.copy_(other)
        weight.copy_(loads)
        made = planned(previous, weight)
    stream.synchronize()
    assert_equal(made, given)


def test_several_streams_at_once() -> None:
    cases = [of_users(30 + seed, 400) for seed in range(4)]
    torch.cuda.synchronize()
    made = []
    for _, previous, weight in cases:
        with torch.cuda.stream(torch.cuda.Stream()):
            made.append(planned(previous, weight))
    torch.cuda.synchronize()
    for one, (given, _, _) in zip(made, cases, strict=True):
        assert_equal(one, given)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch finds no second CUDA device")
def test_a_device_that_is_not_the_current_one() -> None:
    given, *arrays = of_users(15)
    with torch.cuda.device(0):
        for device in ("cuda:1", "cuda:0", "cuda:1"):
            previous, weight = (x.to(device) for x in arrays)
            made = planned(previous, weight)
            assert {x.device for x in made} == {weight.device}
            assert torch.cuda.current_device() == 0
            assert_equal(made, given)


def test_a_plan_that_is_elsewhere_is_torchs_error(poisoned: list[int]) -> None:
    """And the kernels read no addresses of the host."""
    given, previous, weight = of_users(16)
    with pytest.raises(RuntimeError, match="device"):
        planned(previous.cpu(), weight)
    assert not poisoned
    assert_equal(planned(previous, weight), given)


@pytest.mark.parametrize("in_dims", [(0, 0), (None, 0), (0, None)], ids=str)
def test_vmap(in_dims: tuple[int | None, int | None], poisoned: list[int]) -> None:
    cases = [of_users(40 + seed, 6) for seed in range(3)]
    shared = cases[0][0]
    given = [one._replace(previous=shared.previous) if in_dims[0] is None else one for one, _, _ in cases]
    given = [one._replace(weight=shared.weight) if in_dims[1] is None else one for one in given]
    previous, weight = [x for _, x, _ in cases], [x for _, _, x in cases]
    arrays = [x[0] if axis is None else torch.stack(x) for x, axis in zip((previous, weight), in_dims, strict=True)]
    made = vmap(planned, in_dims=in_dims)(*arrays)
    assert poisoned
    for i, one in enumerate(given):
        assert_equal(Plan(*(x[i] for x in made)), one)


def test_compile_without_a_graph_break(poisoned: list[int]) -> None:
    def step(previous: torch.Tensor, weight: torch.Tensor) -> tuple[Plan[torch.Tensor], torch.Tensor]:
        made = planned(previous, weight / 2)
        return made, made.logcnt.sum(dim=-1)

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True)
    for layers in (6, 9, 13):
        given, previous, weight = of_users(50 + layers, layers)
        before = len(poisoned)
        made, number = compiled(previous, weight)
        assert len(poisoned) > before, "the kernels did not run"
        assert_equal(made, given)
        assert number.tolist() == [24] * layers


def test_the_operator_is_what_torch_expects() -> None:
    given, *_ = of_users(17, 6)
    operator = torch.ops.eplb_xp.follow.default
    with mock.patch.object(torch.ops.eplb_xp, "follow", wraps=operator) as called:
        as_operator(follow.follow, *on_gpu(given), **given.settings)
    checks = torch.library.opcheck(operator, called.call_args.args)
    assert set(checks.values()) == {"SUCCESS"}


def test_the_same_plan_without_kernels(
    poisoned: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given, previous, weight = of_users(18, 3)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert_equal(planned(previous, weight), given)
    assert not [message for message in caplog.messages if message.startswith("follow")]
    before = len(poisoned)
    monkeypatch.setenv(SWITCH, "0")
    assert_equal(planned(previous, weight), given)
    assert len(poisoned) == before, "the kernels ran"


def test_the_log_says_why_kernels_do_not_run(poisoned: list[int], caplog: pytest.LogCaptureFixture) -> None:
    _, previous, weight = of_users(19, 2)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        planned(previous, weight, gpus_per_node=4, far_cost=2)
        planned(previous[:0], weight[:0])
    for reason in ("the kernels follow a plan where all moves count the same, got far_cost=2", "there are no layers"):
        assert f"follow runs without its kernel: {reason}" in caplog.messages
    assert not poisoned
