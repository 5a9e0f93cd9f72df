"""Plans by Triton's kernels on a GPU, held against those of NumPy."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from eplb_xp import POLICIES, Plan, Policy, rebalance_experts
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.loads import FAMILIES
from tests.support.other_libraries import Torch
from tests.support.plans import NAMES, assert_same, plan

CUDA = Torch("torch-cuda", "cuda")
Sizes = tuple[int, ...]  # replicas, groups, nodes, GPUs
POISON = -123456  # as a float no number
SMALL_POISON = -77  # in a byte or two

# Experts and sizes of both routes.
GLOBAL, HIERARCHICAL = (64, (80, 1, 1, 8)), (64, (96, 8, 4, 16))
ROUTES = {"global": GLOBAL, "hierarchical": HIERARCHICAL}

every_route = pytest.mark.parametrize(("experts", "sizes"), ROUTES.values(), ids=ROUTES)
every_policy = pytest.mark.parametrize("policy", POLICIES)


def loads(rng: np.random.Generator, layers: int, experts: int, dtype: str = "float32") -> NumPyArray:
    """Layers of families drawn at random."""
    weight = np.stack([FAMILIES[family](rng, experts) for family in rng.choice(sorted(FAMILIES), layers)])
    kind = np.dtype(dtype)
    # As a float the largest int64 is too large for one.
    largest = min(float(np.iinfo(kind).max), 2.0**62) if kind.kind in "iu" else float(ml_dtypes.finfo(kind).max)
    return np.minimum(weight, min(largest, float(np.finfo(np.float32).max))).astype(kind)


def shifted(x: torch.Tensor) -> torch.Tensor:
    """The same values at an address of no power of two but that of their size."""
    memory = torch.full((x.numel() + 1,), -7, dtype=x.dtype, device=x.device)
    memory[1:] = x.ravel()
    return memory[1:].view(x.shape)


def check(weight: NumPyArray, sizes: Sizes, policy: str | Policy, **options: Any) -> None:
    """The GPU's plan is NumPy's."""
    made = plan(CUDA, weight, sizes, policy=policy, **options)
    assert_same(made, plan(NUMPY, weight, sizes, policy=policy, **options))


def assert_equal(made: tuple[torch.Tensor, ...], weight: torch.Tensor, sizes: Sizes, policy: str | Policy) -> None:
    """The plan that a tensor of loads got is NumPy's."""
    expected = plan(NUMPY, CUDA.values(weight), sizes, policy=policy)
    assert_same(Plan(*(x.numpy(force=True) for x in made)), expected)


def planned(weight: torch.Tensor, sizes: Sizes, policy: str | Policy) -> Plan[torch.Tensor]:
    options: dict[str, Any] = dict(zip(NAMES, sizes, strict=True))
    return rebalance_experts(weight, **options, policy=policy)


@contextmanager
def no_waiting() -> Generator[None]:
    """An error where the host waits for the GPU."""
    with warnings.catch_warnings(action="ignore"):  # that it is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
