"""Triton's kernels for plans that follow others on a GPU: from poisoned memory NumPy's, of any plans and sizes."""

import zlib
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp.algorithms.following import follow
from eplb_xp.backends.tensors.library import LIBRARY
from tests.support.cuda_following import SMALL, assert_equal, on_gpu
from tests.support.follow_kernels import Case, Shape, drawn

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]

NODES = Shape(16, 24, 8, 4, 2)

# The kernels are compiled for each, plans and loads are many; of the largest NumPy takes a second for each layer.
CASES: dict[str, tuple[Shape, int, dict[str, Any]]] = {
    "288 / 32": (Shape(256, 288, 32), 6, {"moves": 28, "is_planned": True}),
    "320 / 64": (Shape(256, 320, 64), 4, {"moves": 32, "is_planned": True}),
    "384 / 128": (Shape(256, 384, 128), 4, {"moves": 38, "is_planned": True}),
    "288 / 72": (Shape(256, 288, 72), 4, {"moves": 28, "is_planned": True}),
    "288 / 32 on nodes, empty slots": (Shape(256, 288, 32, 8, 4), 6, {"moves": 28, "empty": 0.1}),
    "320 / 64 on nodes, a cap": (Shape(256, 320, 64, 8, 4, 8), 4, {"moves": 28, "empty": 0.05}),
    "320 / 32, a ring": (Shape(256, 320, 32, policy="ring"), 4, {"moves": 28, "is_planned": True}),
    "31 slots a GPU": (Shape(384, 496, 16), 3, {"moves": 30}),
    "the largest": (Shape(1024, 2048, 128), 1, {"moves": 20, "empty": 0.02}),
    "small": (SMALL, 200, {"moves": 6, "empty": 0.1}),
    "small, planned": (SMALL, 200, {"moves": 6, "is_planned": True}),
    "small, on nodes": (NODES, 200, {"moves": 6, "empty": 0.2}),
    "small, a cap": (SMALL._replace(most=2), 200, {"moves": 6, "empty": 0.2}),
    "small, a ring": (Shape(16, 24, 8, policy="ring"), 200, {"moves": 6, "is_planned": True, "empty": 0.1}),
    "small, a ring on nodes": (NODES._replace(policy="ring"), 200, {"moves": 6, "is_planned": True}),
    "a gain": (SMALL, 200, {"moves": 3, "min_gain": 0.1}),
    "no spares": (Shape(24, 24, 8), 200, {"moves": 6, "empty": 0.1}),
    "many doubled": (Shape(5, 30, 5), 200, {"moves": 8, "empty": 0.1}),
    "11 GPUs": (Shape(20, 33, 11), 200, {"moves": 6}),
    "more spares than a block": (Shape(30, 70, 10), 100, {"moves": 8, "empty": 0.1}),
    "33 GPUs": (Shape(34, 66, 33), 60, {"moves": 6}),
    "one GPU": (Shape(12, 18, 1), 50, {"empty": 0.3}),
    "one slot a GPU": (Shape(12, 18, 18), 100, {"empty": 0.2}),
    "one expert": (Shape(1, 6, 3), 20, {"empty": 0.5}),
}


def follow_on_gpu(given: Case) -> Any:
    return LIBRARY.run(follow.follow, *on_gpu(given), **given.settings)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(2))
def test_random_layers(name: str, seed: int, poisoned: list[int]) -> None:
    shape, layers, options = CASES[name]
    given = drawn((zlib.crc32(name.encode()), seed), shape, layers, **options)
    assert_equal(follow_on_gpu(given), given)
    assert poisoned, "the kernels did not run"


def test_many_layers(poisoned: list[int]) -> None:
    """More programs than a GPU has room for at once."""
    given = drawn(7, Shape(6, 8, 4), 3000, moves=2)
    assert_equal(follow_on_gpu(given), given)
    assert poisoned


@pytest.mark.parametrize(
    "dtype",
    ["float16", "bfloat16", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"],
)
def test_every_dtype(dtype: str, poisoned: list[int]) -> None:
    given = drawn(8, SMALL, 20, moves=4)
    kind = np.dtype(dtype)
    given = given._replace(weight=(given.weight * 8).clip(max=120).astype(kind))
    assert_equal(follow_on_gpu(given), given)
    assert poisoned


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_plans_of_every_dtype_and_strides(dtype: torch.dtype, poisoned: list[int]) -> None:
    given = drawn(9, SMALL, 20, moves=4)
    previous, budget, min_gain, weight = on_gpu(given)
    spread = torch.full((40, 3, 48), 77.0, device="cuda")
    spread[::2, :1, 1::3] = weight
    arrays = previous.T.contiguous().T.to(dtype), budget, min_gain, spread[::2, :1, 1::3]
    assert_equal(LIBRARY.run(follow.follow, *arrays, **given.settings), given)
    assert poisoned


def test_what_is_no_expert_or_load(poisoned: list[int]) -> None:
    given = drawn(10, NODES._replace(most=3), 200, moves=4)
    rng = np.random.default_rng(10)
    wrong = rng.choice([-7, 16, 2**40, -(2**62)], given.previous.shape)
    previous = np.where(rng.random(given.previous.shape) < 0.1, wrong, given.previous)
    shuffled = rng.random(len(previous)) < 0.5
    previous[shuffled] = rng.permuted(previous[shuffled], axis=1)
    weight = np.where(rng.random(given.weight.shape) < 0.1, np.float32(np.nan), given.weight)
    weight[:20] *= np.float32(1e35)
    weight[20:40] = 0
    given = given._replace(previous=previous, weight=weight)
    assert_equal(follow_on_gpu(given), given)
    assert poisoned
