"""How PyTorch's kernels are started, with stand-ins for the kernels where there is no GPU."""

import time
from dataclasses import fields
from typing import Any

import pytest
import torch

from eplb_xp import Policy
from eplb_xp.backends.launching.from_torch import _Planner
from eplb_xp.backends.tensors.arguments import FLOATS, INTEGERS
from tests.support.kernels import launch_of
from tests.support.threads import at_once

LAYERS, EXPERTS, SIZES = 3, 16, (24, 1, 1, 4)
STREAM = 7


class Kernel:
    """Keeps what it was compiled for, and what it was started with."""

    function, packed_metadata = "function", "metadata"

    def __init__(self) -> None:
        self.compiled: list[tuple[Any, ...]] = []
        self.options: list[dict[str, Any]] = []
        self.started: list[tuple[Any, ...]] = []

    def warmup(self, *arguments: Any, **options: Any) -> "Kernel":
        self.compiled.append(arguments)
        self.options.append(options)
        return self

    def run(self, *arguments: Any) -> None:
        self.started.append(arguments)


@pytest.fixture
def planner(monkeypatch: pytest.MonkeyPatch) -> _Planner:
    """Of a policy with two kernels, both stand-ins."""
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda _: STREAM, raising=False)
    made = _Planner(LAYERS, EXPERTS, launch_of(LAYERS, EXPERTS, SIZES, "swap"))
    made._kernels = [(Kernel(), grid, warps) for _, grid, warps in made._kernels]
    assert len(made._kernels) == 2
    return made


def test_kernels_get_the_addresses_of_loads_and_maps(planner: _Planner) -> None:
    weight = torch.rand(EXPERTS, LAYERS).T
    made = planner._launched(weight, weight.device)
    assert [x.shape for x in made] == [(LAYERS, 24), (LAYERS, EXPERTS, 24 - EXPERTS + 1), (LAYERS, EXPERTS)]
    assert {x.dtype for x in made} == {torch.int64}

    (first, grid, _), (second, second_grid, _) = planner._kernels
    maps = tuple(x.data_ptr() for x in made)
    loads = weight.data_ptr(), 1, LAYERS
    (started,), (then,) = first.started, second.started
    assert started[:9] == (*grid, STREAM, "function", "metadata", None, None, None)
    assert (started[9:12], started[12:15]) == (loads, maps)
    assert then[:9] == (*second_grid, STREAM, "function", "metadata", None, None, None)
    assert then[9:12] == maps
    assert started[15:] == then[12:]  # the memory between them, and the constants


def test_kernels_are_compiled_once_for_each_kind_of_loads(planner: _Planner) -> None:
    memory = torch.rand(LAYERS * EXPERTS + 1)
    kinds = [
        memory[:-1].reshape(LAYERS, EXPERTS),
        memory[1:].reshape(LAYERS, EXPERTS),  # at another alignment
        memory[:-1].reshape(EXPERTS, LAYERS).T,
        memory[:-1].reshape(LAYERS, EXPERTS).double(),
    ]
    for number, weight in enumerate(kinds, 1):
        for _ in range(2):
            planner._launched(weight, weight.device)
        for kernel, _, _ in planner._kernels:
            assert len(kernel.compiled) == number
            assert len(kernel.started) == 2 * number
    for given, weight in zip(planner._kernels[0][0].compiled, kinds, strict=True):
        assert given[0] is weight


@pytest.mark.parametrize(("gpus", "registers"), [(8, 255), (4, None)])
def test_compilers_are_told_of_registers(planner: _Planner, gpus: int, registers: int | None) -> None:
    how = launch_of(LAYERS, EXPERTS, (24, 1, 1, gpus), "joint")
    assert how.shape.registers == registers
    joint = _Planner(LAYERS, EXPERTS, how)
    joint._kernels = planner._kernels
    weight = torch.rand(LAYERS, EXPERTS)
    joint._launched(weight, weight.device)
    for kernel, grid, warps in joint._kernels:
        expected = {"grid": grid, "num_warps": warps, "maxnreg": registers, "enable_fp_fusion": False}
        assert kernel.options == [expected]


class LoadedSlowly:
    """As Triton loads a kernel: how it is run is there before its function is."""

    packed_metadata = "metadata"

    def __init__(self) -> None:
        self.function: str | None = None
        self.loading = False
        self.started: list[tuple[Any, ...]] = []

    def warmup(self, *_: Any, **__: Any) -> "LoadedSlowly":
        return self

    @property
    def run(self) -> Any:
        if not self.loading:
            self.loading = True
            time.sleep(0.02)
            self.function = "function"
        return lambda *arguments: self.started.append(arguments)


def test_no_thread_starts_a_kernel_that_another_one_is_loading(planner: _Planner) -> None:
    kernels = [LoadedSlowly() for _ in planner._kernels]
    both = zip(kernels, planner._kernels, strict=True)
    planner._kernels = [(kernel, grid, warps) for kernel, (_, grid, warps) in both]
    weight = torch.rand(LAYERS, EXPERTS)
    at_once(lambda _: planner._launched(weight, weight.device), 8)
    for kernel in kernels:
        assert [started[4] for started in kernel.started] == ["function"] * 8


def test_an_operator_gets_every_setting_of_a_policy() -> None:
    assert sorted((*INTEGERS, *FLOATS, "neighbourhood")) == sorted(field.name for field in fields(Policy))
