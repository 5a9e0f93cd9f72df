"""Shares by Triton's kernel on a GPU, held against those of NumPy."""

from typing import Any

import ml_dtypes
import numpy as np
import torch

from eplb_xp import Shares, prepare_shares, rebalance_experts, share_tokens
from tests.support.cuda import CUDA, loads
from tests.support.libraries import NumPyArray
from tests.support.share_kernels import assert_identical, expected
from tests.support.shares import Batch, Shape, random_plan

SMALL: Shape = (32, 48, 16)  # experts, replicas and GPUs


def plans(rng: np.random.Generator, layers: int, shape: Shape) -> NumPyArray:
    """Plans for rings, EPLB's, and any, mixed."""
    experts, replicas, gpus = shape
    weight = rng.pareto(1, (layers, experts))
    kinds = [rebalance_experts(weight, replicas, 1, 1, gpus, policy=policy).phy2log for policy in ("ring", "greedy")]
    kinds += [np.stack([random_plan(rng, shape) for _ in range(layers)])]
    mixed: NumPyArray = np.stack(kinds)[rng.integers(0, 3, layers), np.arange(layers)]
    return mixed


def tokens(rng: np.random.Generator, layers: int, experts: int, dtype: str) -> NumPyArray:
    """Few tokens and many, all with one expert, a power of two for each, and none; or loads of any family."""
    rows = rng.integers(0, np.array([2, 4, 1000, 10**6])[rng.integers(0, 4, layers), None], (layers, experts))
    alone, same, none = rng.random((3, layers)) < [[0.1], [0.1], [0.02]]
    rows[alone] *= rng.integers(0, experts, np.count_nonzero(alone))[:, None] == np.arange(experts)
    rows[same] = 2 ** rng.integers(0, 20, np.count_nonzero(same))[:, None]
    rows[none] = 0
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return np.minimum(rows, min(np.iinfo(kind).max, 2**62)).astype(kind)
    any_family = rng.random(layers) < 0.5
    whole = np.minimum(rows, float(ml_dtypes.finfo(kind).max)).astype(kind)
    return np.where(any_family[:, None], loads(rng, layers, experts, dtype), whole)


def batch(rng: np.random.Generator, layers: int, shape: Shape = SMALL, dtype: str = "int32") -> Batch:
    return Batch(plans(rng, layers, shape), tokens(rng, layers, shape[0], dtype), shape[2])


def on_gpu(given: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Its plans and tokens."""
    return CUDA.asarray(given.phy2log), CUDA.asarray(given.tokens)


def shared(
    phy2log: torch.Tensor, weight: torch.Tensor, gpus: int, *, is_prepared: bool = False, **options: Any
) -> Shares[torch.Tensor]:
    """In one call, or in two."""
    plan = (phy2log, phy2log, weight)
    prepared = prepare_shares(plan, gpus) if is_prepared else None
    return share_tokens(plan, weight, gpus, prepared=prepared, **options)


def assert_equal(made: Shares[torch.Tensor], given: Batch, **options: Any) -> None:
    """The shares that tensors got are NumPy's, bit for bit."""
    assert isinstance(made, Shares)
    assert_identical(Shares(*(x.numpy(force=True) for x in made)), expected(given, **options))


def check(given: Batch, *, is_prepared: bool = False, **options: Any) -> None:
    """The GPU's shares are NumPy's."""
    made = CUDA.run(shared, given.phy2log, given.tokens, gpus=given.gpus, is_prepared=is_prepared, **options)
    assert_identical(made, expected(given, **options))
