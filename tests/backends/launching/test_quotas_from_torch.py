"""How PyTorch's kernel for quotas is started, with a stand-in for the kernel where there is no GPU."""

from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp.backends.kernels.routing import quotas as kernels
from eplb_xp.backends.launching.quotas_from_torch import _Divider, quotas, quotas_of_rank
from eplb_xp.backends.takeover import Refusal
from eplb_xp.backends.tensors.library import LIBRARY
from tests.backends.launching.test_from_torch import STREAM, Kernel
from tests.support.quota_kernels import Given, drawn, launch_of

SHAPE = (6, 12, 4)
NAMES = kernels.quotas.arg_names


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A stand-in."""
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda _: STREAM, raising=False)
    kernel = Kernel()
    monkeypatch.setattr(kernels, "quotas", kernel)
    return kernel


def given(**options: Any) -> Given:
    return drawn(np.random.default_rng(0), SHAPE, 3, **options)


def tensors_of(made: Given) -> list[torch.Tensor]:
    """In the order in which the kernel takes them."""
    rank = made.logcnt if made.rank is None else made.rank
    return [torch.asarray(np.ascontiguousarray(x)) for x in (rank, *made[1:])]


def by_name(arguments: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(NAMES, arguments[9:], strict=True))


def test_one_kernel_divides(started: Kernel) -> None:
    made = given()
    tensors = tensors_of(made)
    quota = _Divider(3, launch_of(made, 2))(*tensors)
    assert (quota.shape, quota.dtype) == ((3, 6, 7), torch.int64)
    (arguments,) = started.started
    assert arguments[:9] == (3, 6, 1, STREAM, "function", "metadata", None, None, None)
    names = by_name(arguments)
    assert [names[name] for name in Given._fields] == [x.data_ptr() for x in tensors]
    assert (names["rank_stride"], names["quota"]) == (1, quota.data_ptr())


def test_a_rank_that_is_one_for_all_layers_is_not_copied(started: Kernel) -> None:
    made = given()
    rank = torch.tensor(2)
    _Divider(3, launch_of(made, 2))(rank.expand(3, 1), *tensors_of(made)[1:])
    names = by_name(started.started[0])
    assert (names["rank"], names["rank_stride"]) == (rank.data_ptr(), 0)


def test_all_ranks_have_programs(started: Kernel) -> None:
    made = given(of_one=False)
    quota = _Divider(3, launch_of(made, 2))(*tensors_of(made))
    assert quota.shape == (3, 4, 6, 7)
    assert started.started[0][:3] == (3, 6, 4)


def test_the_kernel_is_compiled_once_for_each_kind_of_tensors(started: Kernel) -> None:
    made = given()
    divider, tensors = _Divider(3, launch_of(made, 2)), tensors_of(made)
    memory = torch.zeros(tensors[1].numel() + 1, dtype=torch.int64)
    shifted = memory[1:].view(tensors[1].shape)
    kinds = [tensors, [*tensors[:-1], tensors[-1].int()], [tensors[0], shifted, *tensors[2:]]]
    for number, each in enumerate(kinds, 1):
        for _ in range(2):
            divider(*each)
        assert len(started.compiled) == number
        assert len(started.started) == 2 * number


@pytest.mark.usefixtures("started")
def test_tensors_on_several_devices_are_left_to_torch() -> None:
    rank, *others, counts = tensors_of(given())
    elsewhere = counts.to("meta")
    for answer in (
        quotas(LIBRARY, *others, elsewhere, num_nodes=2),
        quotas_of_rank(LIBRARY, rank, *others, elsewhere, num_nodes=2),
        quotas_of_rank(LIBRARY, rank.to("meta"), *others, counts, num_nodes=2),
    ):
        assert isinstance(answer, Refusal)
        assert "several devices" in answer.reason


def test_what_the_kernel_does_not_take() -> None:
    rank, *others, counts = tensors_of(given())
    answer = quotas_of_rank(LIBRARY, rank, *others, counts.expand(3, 4, 6).repeat(1, 129, 1), num_nodes=2)
    assert isinstance(answer, Refusal)
    assert "at most 512 GPUs, got 516" in answer.reason
