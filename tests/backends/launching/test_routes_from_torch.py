"""How PyTorch's kernels for routes are started, with stand-ins for the kernels where there is no GPU."""

from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp.backends.kernels.routing import route as kernels
from eplb_xp.backends.launching.routes_from_torch import _Router, route_by_quota, route_in_turn
from eplb_xp.backends.launching.routing import FEW
from eplb_xp.backends.takeover import Refusal
from eplb_xp.backends.tensors.library import LIBRARY
from tests.backends.launching.test_from_torch import STREAM, Kernel
from tests.support.route_kernels import Given, drawn, launch_of

SHAPE = (6, 12, 4)
NAMES = {name: getattr(kernels, name).arg_names for name in ("count", "route", "route_few")}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Kernel]:
    """Stand-ins by name."""
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda _: STREAM, raising=False)
    made = {name: Kernel() for name in NAMES}
    for name, kernel in made.items():
        monkeypatch.setattr(kernels, name, kernel)
    return made


def given(tokens: tuple[int, int], **options: Any) -> Given:
    return drawn(np.random.default_rng(0), SHAPE, tokens, **options)


def router_of(made: Given) -> _Router:
    *front, tokens, choices = made.experts.shape
    return _Router(int(np.prod(front)), tokens * choices, launch_of(made))


def tensors_of(made: Given) -> list[torch.Tensor]:
    return [torch.asarray(x) for x in made if x is not None]


def test_few_tokens_are_routed_by_one_kernel(started: dict[str, Kernel]) -> None:
    made = given((25, 3), front=(2,), has_first=True, dtype="int32")
    tensors = tensors_of(made)
    slots = router_of(made)(*tensors)
    assert (slots.shape, slots.dtype) == ((2, 25, 3), torch.int32)
    (arguments,) = started["route_few"].started
    assert arguments[:9] == (3, 2, 1, STREAM, "function", "metadata", None, None, None)
    by_name = dict(zip(NAMES["route_few"], arguments[9:], strict=True))
    assert [by_name[name] for name in Given._fields] == [x.data_ptr() for x in tensors]
    assert (by_name["ids"], by_name["slots"]) == (75, slots.data_ptr())
    assert not started["count"].started
    assert not started["route"].started


def test_many_tokens_are_counted_first(started: dict[str, Kernel]) -> None:
    made = given((FEW // 4 + 1, 4), front=(2,), has_first=True)
    slots = router_of(made)(*tensors_of(made))
    (first,), (then,) = started["count"].started, started["route"].started
    assert first[:3] == then[:3] == (17, 2, 1)
    counted = dict(zip(NAMES["count"], first[9:], strict=True))
    routed = dict(zip(NAMES["route"], then[9:], strict=True))
    assert {name: routed[name] for name in counted} == counted
    assert (routed["ids"], routed["slots"]) == (FEW + 4, slots.data_ptr())
    scratch = started["count"].compiled[0][2]
    assert (scratch.dtype, scratch.numel()) == (torch.int16, 2 * 17 * (32 + 256))


def test_kernels_are_compiled_once_for_each_kind_of_tensors(started: dict[str, Kernel]) -> None:
    made = given((10, 2), has_first=True)
    router, tensors = router_of(made), tensors_of(made)
    memory = torch.zeros(21, dtype=torch.int64)
    memory[1:] = tensors[-1].flatten()
    kinds = [tensors, [*tensors[:-1], tensors[-1].int()], [*tensors[:-1], memory[1:].view(10, 2)]]
    for number, each in enumerate(kinds, 1):
        for _ in range(2):
            router(*each)
        assert len(started["route_few"].compiled) == number
        assert len(started["route_few"].started) == 2 * number


@pytest.mark.usefixtures("started")
def test_tensors_on_several_devices_are_left_to_torch() -> None:
    elsewhere = torch.empty(10, 2, dtype=torch.int64, device="meta")
    quota, *others, _ = tensors_of(given((10, 2)))
    for answer in (route_in_turn(LIBRARY, *others, elsewhere), route_by_quota(LIBRARY, quota, *others, elsewhere)):
        assert isinstance(answer, Refusal)
        assert "several devices" in answer.reason


def test_what_the_kernels_do_not_take() -> None:
    quota, *others, experts = tensors_of(given((10, 2)))
    answer = route_by_quota(LIBRARY, quota, *others, experts.expand(2**14, 10, 2).reshape(-1, 2))
    assert isinstance(answer, Refusal)
    assert "at most 262144 choices of tokens, got 327680" in answer.reason
