"""Triton's kernels without a GPU: plans in a process of its own where they are interpreted, and what they compile to.

Triton reads once, when it is imported, whether it interprets: so a process can do only one of the two.
"""

import multiprocessing
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

import eplb_xp.backends.launching.launch as launching
from eplb_xp import POLICIES, Plan, Policy
from eplb_xp.backends.kernels.choose import choose
from eplb_xp.backends.kernels.improve import improve
from eplb_xp.backends.kernels.prepare import prepare
from eplb_xp.backends.launching.compiling import quickly
from eplb_xp.backends.launching.launch import Launch, launch
from eplb_xp.backends.launching.static import Static
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import as_policy
from eplb_xp.sizes import check_sizes
from tests.support.interpreting import interpret_faster
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.plans import assert_same, plan

Sizes = tuple[int, ...]  # replicas, groups, nodes, GPUs
Interpreted = Callable[..., Any]  # runs a function of this package's tests with what it is given
KERNELS = {"prepare": prepare, "improve": improve, "choose": choose}
POISON = -123456  # as a float no number
TIMEOUT = 120  # seconds, for a kernel that never ends

# The algorithms of the named policies, with so few starts and counts that they can be interpreted.
GREEDY, SWAP = POLICIES["greedy"], POLICIES["swap"]
STARTS = replace(POLICIES["multistart"], starts=3)
JOINT = replace(POLICIES["joint"], levels=1, refined=2, finish=20, generations=2)
RING = POLICIES["ring"]
TRIED = {"greedy": GREEDY, "swap": SWAP, "multistart": STARTS, "joint": JOINT, "ring": RING}
every_policy = pytest.mark.parametrize("policy", TRIED.values(), ids=TRIED)


def launch_of(layers: int, experts: int, sizes: Sizes, policy: str | Policy, most: int | None = None) -> Launch:
    """How a plan is launched, which is not refused."""
    how = launch(layers, experts, replace(check_sizes(experts, *sizes), max_replicas=most), as_policy(policy))
    assert not isinstance(how, Refusal), how.reason
    return how


@contextmanager
def interpreter() -> Generator[Interpreted]:
    """What runs functions in a process that interprets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        process = multiprocessing.get_context("spawn").Pool(1, interpret_faster)

    def run(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            return process.apply_async(function, args, options).get(TIMEOUT)
        except multiprocessing.TimeoutError:
            process.terminate()  # so that no later test waits for it
            raise

    try:
        yield run
    finally:
        process.terminate()
        process.join()


def as_tensor(load: NumPyArray, is_spread: bool = False) -> torch.Tensor:
    """Loads as a tensor; those that are spread are not next to each other."""
    # NumPy's bfloat16 is no dtype that torch knows.
    tensor = torch.asarray(load.astype(np.float32) if load.dtype.name == "bfloat16" else load)
    tensor = tensor.to(getattr(torch, load.dtype.name))
    if not is_spread:
        return tensor
    layers, experts = load.shape
    spread = torch.full((2 * layers, 3 * experts), 77, dtype=tensor.dtype)
    spread[::2, 1::3] = tensor
    return spread[::2, 1::3]


def planned(
    weight: NumPyArray,
    sizes: Sizes,
    policy: str | Policy,
    *,
    max_replicas: int | None = None,
    programs: int = launching.PROGRAMS,
    is_spread: bool = False,
    poison: int = POISON,
) -> Plan[NumPyArray]:
    """The plan by interpreted kernels, which begin with poison in all their memory; as many programs work on starts."""
    assert triton.knobs.runtime.interpret
    (layers, experts), replicas = weight.shape, sizes[0]
    with mock.patch.object(launching, "PROGRAMS", programs):
        how = launch_of(layers, experts, sizes, policy, max_replicas)
    load = as_tensor(weight, is_spread)
    constants = Static(how.shape)
    shapes = (layers, replicas), (layers, experts, how.shape.width), (layers, experts)
    maps = [torch.full(shape, poison) for shape in shapes]
    scratch = torch.full((how.words,), poison, dtype=torch.int32)
    given: list[Any] = [load, *load.stride()]
    for each in how.kernels:
        KERNELS[each.kernel][each.programs,](*given, *maps, scratch, constants)
        given = []  # which the others have from the first
    return Plan(*(x.numpy() for x in maps))


def check(
    interpreted: Interpreted,
    weight: NumPyArray,
    sizes: Sizes,
    policy: Policy,
    *,
    max_replicas: int | None = None,
    **options: Any,
) -> Plan[NumPyArray]:
    """The plan, which NumPy makes too."""
    expected = plan(NUMPY, weight, sizes, policy=policy, max_replicas=max_replicas)
    assert_same(interpreted(planned, weight, sizes, policy, max_replicas=max_replicas, **options), expected)
    return expected


def compiled(how: Launch) -> dict[str, Any]:
    """What each kernel is on an H100: its code in several languages."""
    types = {"weight": "*fp32", "scratch": "*i32", "S": "constexpr", "row_stride": "i32", "column_stride": "i32"}
    warps = {KERNELS[each.kernel]: each.warps for each in how.kernels}
    with quickly():
        return {
            kernel.__name__: triton.compile(
                ASTSource(
                    kernel,
                    {name: types.get(name, "*i64") for name in kernel.arg_names},
                    {(kernel.arg_names.index("S"),): Static(how.shape)},
                ),
                target=GPUTarget("cuda", 90, 32),
                options={"num_warps": number, "maxnreg": how.shape.registers, "enable_fp_fusion": False},
            ).asm
            for kernel, number in warps.items()
        }
