"""Triton's kernel for shares on a GPU: from poisoned memory those of NumPy, of any plans, loads and sizes."""

import itertools

import numpy as np
import pytest
import torch

from eplb_xp import Prepared, prepare_shares, share_tokens
from tests.support.cuda import shifted
from tests.support.cuda_shares import SMALL, assert_equal, batch, check, on_gpu, shared
from tests.support.share_kernels import prepared_of
from tests.support.shares import Batch, Shape, random_plan

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]

# Experts, replicas and GPUs: the kernel is compiled for each, loads are many.
SIZES: dict[str, Shape] = {
    "three slots a GPU": SMALL,
    "one GPU": (12, 18, 1),
    "two GPUs": (20, 30, 2),
    "one slot a GPU": (40, 64, 64),
    "two slots a GPU": (30, 40, 20),
    "33 GPUs": (33, 66, 33),
    "18 slots a GPU": (60, 72, 4),
    "everything linked": (8, 64, 8),
    "256 experts": (256, 288, 32),
    "128 GPUs": (256, 384, 128),
}
LAYERS = (1, 3, 58, 100, 98)  # of the batches of each case
DTYPES = ("float16", "bfloat16", "float64", "int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64")
both_ways = pytest.mark.parametrize("is_prepared", [False, True], ids=["in one", "prepared"])


@both_ways
@pytest.mark.parametrize("case", range(len(SIZES)), ids=SIZES)
def test_5000_random_layers(case: int, is_prepared: bool, poisoned: list[int]) -> None:
    """So many in all cases together."""
    shape = [*SIZES.values()][case]
    rng = np.random.default_rng(2 * case + is_prepared)
    # Each dtype is compiled for, so a size has three of them.
    dtypes = itertools.cycle(["int32", "float32", DTYPES[case % len(DTYPES)]])
    layers_in_all = 0
    for layers, dtype in zip(LAYERS, dtypes, strict=False):
        before = len(poisoned)
        check(batch(rng, layers, shape, dtype), is_prepared=is_prepared)
        assert len(poisoned) > before, "the kernel did not run"
        layers_in_all += layers
    assert layers_in_all * len(SIZES) * 2 >= 5000


@both_ways
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_rounds_and_tolerances(dtype: str, is_prepared: bool, poisoned: list[int]) -> None:
    """The number of rounds changes from call to call, of the same sizes and after the same kernel was compiled."""
    rng = np.random.default_rng(30)
    for rounds, tolerance in ((64, 2.0**-10), (1, 0.0), (64, 0.0), (3, 0.0), (0, 0.0), (16, 0.05), (2, 1.0), (1000, 0)):
        check(batch(rng, 58, SMALL, dtype), is_prepared=is_prepared, rounds=rounds, tolerance=float(tolerance))
    assert poisoned


def test_a_tolerance_on_the_device(poisoned: list[int]) -> None:
    given = batch(np.random.default_rng(31), 58)
    for tolerance in (0.0, 0.125):
        made = shared(*on_gpu(given), given.gpus, tolerance=torch.tensor(tolerance, device="cuda"))
        assert_equal(made, given, tolerance=tolerance)
    assert poisoned


RINGS = {
    "a whole turn": [[gpu, (gpu + 1) % 12, 12 + gpu] for gpu in range(12)],
    "half a turn": [[g if g < 6 else 20 + g, g - 1 if 0 < g < 7 else 40 + g, 60 + g] for g in range(12)],
    "stretches of four": [[gpu // 3 % 4, (gpu - 1) // 3 % 4, 4 + gpu] for gpu in range(12)],
    "on three nodes": [
        [4 * node + gpu, 4 * node + (gpu + 1) % 4, 12 + 4 * node + gpu] for node, gpu in np.ndindex(3, 4)
    ],
    "two turns": [[gpu, (gpu + 1) % 12, 12 + gpu, 12 + (gpu + 1) % 12] for gpu in range(12)],
}


@both_ways
@pytest.mark.parametrize("name", RINGS)
def test_rings(name: str, is_prepared: bool, poisoned: list[int]) -> None:
    numbers, ravelled = np.unique(np.ravel(RINGS[name]), return_inverse=True)
    rng = np.random.default_rng(32)
    phy2log = np.tile(ravelled, (200, 1))
    tokens = rng.integers(0, np.array([2, 1000, 10**6])[rng.integers(0, 3, 200), None], (200, len(numbers)))
    given = Batch(phy2log, tokens, len(RINGS[name]))
    assert (prepared_of(given).size == 0).all() == (name == "two turns")
    check(given, is_prepared=is_prepared, tolerance=0.0)
    assert poisoned


@pytest.mark.parametrize("gpus", [8, 256, 512])
def test_the_largest_sizes(gpus: int, poisoned: list[int]) -> None:
    check(batch(np.random.default_rng(33), 2, (1024, 2048, gpus)), rounds=4)
    assert poisoned


def test_more_programs_than_a_gpu_has_room_for(poisoned: list[int]) -> None:
    check(batch(np.random.default_rng(34), 5000))
    assert poisoned


def test_more_colours_than_are_written_down_at_once(poisoned: list[int]) -> None:
    """Each expert has as many colours as there are GPUs, but for one."""
    shape = (20, 20 * 24, 24)
    rng = np.random.default_rng(35)
    phy2log = np.stack([np.tile(rng.permutation(20), 24), *(random_plan(rng, shape) for _ in range(5))])
    given = Batch(phy2log, rng.integers(0, 10**5, (6, 20)), 24)
    colour = prepared_of(given).colour
    assert colour.max() > 256
    check(given, rounds=6, tolerance=0.0)
    assert poisoned


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int32"])
def test_what_is_no_load_has_no_tokens(dtype: str, poisoned: list[int]) -> None:
    given = batch(np.random.default_rng(36), 60, SMALL, dtype)
    for i, bad in enumerate((np.nan, np.inf, -np.inf, -1.0) if dtype != "int32" else (-1, -(2**31), 2**31 - 1)):
        given.tokens[i::4, ::5] = bad
    check(given)
    assert poisoned


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64", "float32"])
def test_tokens_that_are_too_many(dtype: str, poisoned: list[int]) -> None:
    rng = np.random.default_rng(37)
    given = batch(rng, 60)
    bits = 31 if dtype in ("int32", "float32") else 32 if dtype == "uint32" else 63
    many = 2.0 ** rng.uniform(0, bits - 0.01, given.tokens.shape)
    check(given._replace(tokens=many.astype(dtype)))
    most = np.zeros(given.tokens.shape)
    most[np.arange(60), rng.integers(0, 32, 60)] = 2**30 - 64
    check(given._replace(tokens=most.astype(dtype)))
    assert poisoned


def test_any_strides_and_addresses(poisoned: list[int]) -> None:
    given = batch(np.random.default_rng(38), 12)
    phy2log, weight = on_gpu(given)
    experts = weight.shape[1]
    spread = torch.full((24, 3 * experts), -7, dtype=weight.dtype, device="cuda")
    shifted = torch.full((weight.numel() + 3,), -7, dtype=weight.dtype, device="cuda")
    views = [weight, spread[::2, 1::3], weight.T.contiguous().T]
    views += [shifted[i : i + weight.numel()].view(weight.shape) for i in range(4)]
    for view in (*views, weight):
        view.copy_(weight)
        before = view.clone()
        assert_equal(shared(phy2log, view, given.gpus), given)
        assert torch.equal(view, before)
    same = given._replace(tokens=np.tile(given.tokens[:1], (12, 1)))
    assert_equal(shared(phy2log, weight[:1].expand(12, experts), given.gpus), same)
    assert poisoned


def moved(x: torch.Tensor, kind: str) -> torch.Tensor:
    """The same values, elsewhere in memory or in another dtype."""
    if kind == "offset":
        return shifted(x)
    if kind == "spread":
        memory = torch.full((2 * x.shape[0], 3 * x.shape[1]), -7, dtype=x.dtype, device=x.device)
        memory[::2, 1::3] = x
        return memory[::2, 1::3]
    return x.T.contiguous().T if kind == "turned" else x.to(getattr(torch, kind))


@pytest.mark.parametrize("kind", ["offset", "spread", "turned", "int32", "int16"])
def test_plans_of_any_strides_and_dtypes(kind: str, poisoned: list[int]) -> None:
    given = batch(np.random.default_rng(39), 12)
    phy2log, weight = on_gpu(given)
    assert_equal(shared(moved(phy2log, kind), weight, given.gpus), given)
    plan = (phy2log, phy2log, weight)
    prepared = Prepared(*(moved(x, kind) for x in prepare_shares(plan, given.gpus)))
    assert_equal(share_tokens(plan, weight, given.gpus, prepared=prepared), given)
    assert poisoned
