"""How PyTorch's kernel for shares is started, with a stand-in for the kernel where there is no GPU."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from eplb_xp import Prepared, Shares
from eplb_xp.backends.kernels.sharing import shares as kernels
from eplb_xp.backends.launching.shares_from_torch import _Sharer
from eplb_xp.backends.takeover import Refusal
from tests.backends.launching.test_from_torch import STREAM, Kernel
from tests.support.share_kernels import launch_of, prepared_of
from tests.support.shares import Batch, drawn_plans

LAYERS, EXPERTS, SLOTS, GPUS = 3, 8, 12, 4
NAMES = kernels.share.arg_names
BATCH = Batch(drawn_plans(0, LAYERS, (EXPERTS, SLOTS, GPUS)), np.ones((LAYERS, EXPERTS), np.int64), GPUS)
PREPARED = Prepared(*map(torch.asarray, prepared_of(BATCH)))
TOLERANCE = torch.full((LAYERS, 1), 0.5)


class Started(NamedTuple):
    """A stand-in, and what starts it."""

    kernel: Kernel
    sharer: _Sharer


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    kernel = Kernel()
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda _: STREAM, raising=False)
    monkeypatch.setattr(kernels, "share", kernel)
    return Started(kernel, _Sharer(LAYERS, launch_of(LAYERS, EXPERTS, SLOTS, GPUS)))


def launched(sharer: _Sharer, weight: torch.Tensor, rounds: int = 64) -> Shares[torch.Tensor]:
    """On a CPU, where no device can be made the current one."""
    return sharer._launched(*PREPARED, TOLERANCE, weight, rounds=rounds)


def test_the_kernel_gets_its_arguments_in_order(started: Started) -> None:
    weight = torch.rand(EXPERTS, LAYERS).T
    made = launched(started.sharer, weight, rounds=9)
    (compiled,), (arguments,) = started.kernel.compiled, started.kernel.started
    assert arguments[:9] == (LAYERS, 1, 1, STREAM, "function", "metadata", None, None, None)
    given = dict(zip(NAMES, arguments[9:], strict=True))
    tensors = dict(zip(NAMES, compiled, strict=True))
    for name, x in PREPARED._asdict().items():
        assert given[f"{name}_ptr"] == x.data_ptr()
    results = ("share_ptr", "load_ptr", "busiest_ptr", "bound_ptr", "proof_ptr", "gap_ptr", "rounds_ptr")
    for name, result in zip(results, made, strict=True):
        assert tensors[name] is result
        assert given[name] == result.data_ptr()
    assert (given["tolerance_ptr"], given["weight_ptr"]) == (TOLERANCE.data_ptr(), weight.data_ptr())
    assert (given["row_stride"], given["column_stride"], given["rounds"]) == (1, LAYERS, 9)
    assert tensors["scratch"].numel() == LAYERS * given["S"].words


def test_the_results_are_of_their_shapes(started: Started) -> None:
    made = launched(started.sharer, torch.rand(LAYERS, EXPERTS))
    layers, gpus = (LAYERS,), (LAYERS, GPUS)
    assert [tuple(x.shape) for x in made] == [(LAYERS, SLOTS), gpus, layers, layers, gpus, layers, layers]
    index = torch.int64
    assert [x.dtype for x in made] == [index, index, index, torch.float32, torch.bool, torch.float32, index]


def test_the_kernel_is_compiled_once_for_each_kind_of_arguments(started: Started) -> None:
    """Triton makes a constant of a 1, and knows of multiples of 16."""
    memory = torch.rand(LAYERS * EXPERTS + 1)
    loads = memory[:-1].reshape(LAYERS, EXPERTS)
    kinds: list[tuple[Any, int]] = [
        (loads, 64),
        (memory[1:].reshape(LAYERS, EXPERTS), 64),  # at another alignment
        (memory[:-1].reshape(EXPERTS, LAYERS).T, 64),
        (loads.double(), 64),
        (loads, 1),
        (loads, 3),
    ]
    for number, (weight, rounds) in enumerate(kinds, 1):
        for _ in range(2):
            launched(started.sharer, weight, rounds)
        assert len(started.kernel.compiled) == number
        assert len(started.kernel.started) == 2 * number
    for given, (weight, rounds) in zip(started.kernel.compiled, kinds, strict=True):
        arguments = dict(zip(NAMES, given, strict=True))
        assert arguments["weight_ptr"] is weight
        assert arguments["rounds"] == rounds


def test_tensors_on_several_devices_are_left_to_torch(started: Started) -> None:
    """The kernel would read addresses of one device on another."""
    elsewhere = torch.empty(LAYERS, EXPERTS, device="meta")
    answers = [started.sharer(*PREPARED, TOLERANCE, elsewhere, rounds=1)]
    answers += [started.sharer(*PREPARED._replace(start=elsewhere), TOLERANCE, torch.ones(LAYERS, EXPERTS), rounds=1)]
    for answer in answers:
        assert isinstance(answer, Refusal)
        assert "several devices" in answer.reason
    assert not started.kernel.started
