"""How PyTorch's kernels for plans that follow others are started, with stand-ins where there is no GPU."""

from typing import Any, NamedTuple

import pytest
import torch

from eplb_xp import POLICIES, Plan
from eplb_xp.backends.kernels.following import beginning, follow, path
from eplb_xp.backends.launching import from_torch
from eplb_xp.backends.launching.follows_from_torch import _Follower, follower_of
from eplb_xp.backends.takeover import Refusal
from tests.backends.launching.test_from_torch import STREAM, Kernel
from tests.support.follow_kernels import Shape, launch_of

LAYERS, EXPERTS, SLOTS, GPUS = 3, 8, 12, 4
SHAPE = Shape(EXPERTS, SLOTS, GPUS)
HOW = launch_of(LAYERS, SHAPE)
PREVIOUS = torch.arange(LAYERS * SLOTS).reshape(LAYERS, SLOTS) % EXPERTS
BUDGET, MIN_GAIN = torch.full((LAYERS, 1), 2), torch.zeros(LAYERS, 1)
NAMES = [kernel.arg_names for kernel in (beginning.begin, path.walk, path.walk, follow.follow)]


class Started(NamedTuple):
    """Stand-ins, and what starts them."""

    kernels: tuple[Kernel, Kernel, Kernel]  # paths are walked by one twice
    follower: _Follower

    def calls(self) -> list[dict[str, Any]]:
        """The arguments of each launch, by name."""
        begin, walk, choose = self.kernels
        launches = (*begin.started, *walk.started, *choose.started)
        return [dict(zip(names, given[9:], strict=True)) for names, given in zip(NAMES, launches, strict=True)]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    kernels = Kernel(), Kernel(), Kernel()
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda _: STREAM, raising=False)
    for (module, name), kernel in zip(((beginning, "begin"), (path, "walk"), (follow, "follow")), kernels, strict=True):
        monkeypatch.setattr(module, name, kernel)
    return Started(kernels, _Follower(HOW))


def launched(follower: _Follower, weight: torch.Tensor) -> Plan[torch.Tensor]:
    """On a CPU, where no device can be made the current one."""
    return follower._launched(PREVIOUS, BUDGET, MIN_GAIN, weight)


def test_kernels_get_their_arguments_in_order(started: Started) -> None:
    weight = torch.rand(EXPERTS, LAYERS).T[:, None, :]
    made = launched(started.follower, weight)
    begin, wide, narrow, choose = started.calls()
    assert [begin[name] for name in ("previous_ptr", "budget_ptr", "weight_ptr")] == [
        x.data_ptr() for x in (PREVIOUS, BUDGET, weight)
    ]
    assert (begin["row_stride"], begin["column_stride"]) == (1, LAYERS)
    # What one writes the next ones read.
    layers = begin["layers_at"]
    assert (wide["layers_at"], narrow["layers_at"], choose["layers_at"]) == (layers, layers, layers)
    assert (narrow["wide_at"], choose["wide_at"]) == (wide["paths_at"], wide["paths_at"])
    assert choose["narrow_at"] == narrow["paths_at"]
    assert len({layers, wide["paths_at"], narrow["paths_at"], choose["plans_at"]}) == 4
    assert choose["min_gain_ptr"] == MIN_GAIN.data_ptr()
    assert [choose[name] for name in Plan._fields] == [x.data_ptr() for x in made]
    assert [call["S"].is_narrow for call in (begin, wide, narrow, choose)] == [False, False, True, False]
    grids = [given[:4] for kernel in started.kernels for given in kernel.started]
    assert grids == [(programs, 1, 1, STREAM) for programs in HOW.programs]
    compiled = [given for kernel in started.kernels for given in kernel.compiled]
    memory = [dict(zip(names, given, strict=True)) for names, given in zip(NAMES, compiled, strict=True)]
    written = ("layers_at", "paths_at", "paths_at", "plans_at")
    words = [given[name].numel() for given, name in zip(memory, written, strict=True)]
    assert tuple(words) == HOW.words


def test_the_results_are_of_their_shapes(started: Started) -> None:
    made = launched(started.follower, torch.rand(LAYERS, 1, EXPERTS))
    assert [tuple(x.shape) for x in made] == [(LAYERS, SLOTS), (LAYERS, EXPERTS, 5), (LAYERS, EXPERTS)]
    assert {x.dtype for x in made} == {torch.int64}


def test_kernels_are_compiled_once_for_each_kind_of_loads(started: Started) -> None:
    memory = torch.rand(LAYERS * EXPERTS + 1)
    loads = memory[:-1].reshape(LAYERS, 1, EXPERTS)
    kinds = [
        loads,
        memory[1:].reshape(LAYERS, 1, EXPERTS),  # at another alignment
        memory[:-1].reshape(EXPERTS, LAYERS).T[:, None, :],
        loads.double(),
    ]
    begin, walk, choose = started.kernels
    for number, weight in enumerate(kinds, 1):
        for _ in range(2):
            launched(started.follower, weight)
        assert len(begin.compiled) == number
        assert (len(walk.compiled), len(choose.compiled)) == (2, 1)
        assert (len(begin.started), len(walk.started)) == (2 * number, 4 * number)


def test_tensors_on_several_devices_are_left_to_torch(started: Started) -> None:
    """The kernel would read addresses of one device on another."""
    weight, elsewhere = torch.rand(LAYERS, 1, EXPERTS), torch.empty(LAYERS, SLOTS, device="meta")
    answers = [
        started.follower(elsewhere, BUDGET, MIN_GAIN, weight),
        started.follower(PREVIOUS, BUDGET, MIN_GAIN.to("meta"), weight),
        started.follower(PREVIOUS, BUDGET, MIN_GAIN, weight.to("meta")),
    ]
    for answer in answers:
        assert isinstance(answer, Refusal)
        assert "several devices" in answer.reason
    assert not started.kernels[0].started


def test_a_follower_is_made_once_for_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_torch, "IS_INSTALLED", True)
    follower_of.cache_clear()
    given = ((LAYERS, 1, EXPERTS), SHAPE.sizes, POLICIES["joint"])
    assert follower_of(*given, 1) is follower_of(*given, 1)
    refused = follower_of(*given, 2)
    assert isinstance(refused, Refusal)
    assert "far_cost=2" in refused.reason
    follower_of.cache_clear()
