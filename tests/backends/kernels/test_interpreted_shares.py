"""Triton's kernel for shares, interpreted on a CPU: from poisoned memory those of NumPy, bit for bit."""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp.algorithms.sharing.colours import span
from tests.algorithms.sharing.test_ring import on_rings
from tests.support.kernels import POISON, Interpreted
from tests.support.libraries import NumPyArray
from tests.support.share_kernels import check, launch_of, prepared_of
from tests.support.shares import Batch, Shape, batches, greedy_plan, random_plan, ring_plan

MOST = 2**30 - 1

# Experts, replicas and GPUs.
SIZES: dict[str, Shape] = {
    "one GPU": (5, 9, 1),
    "one slot a GPU": (4, 6, 6),
    "two slots a GPU": (6, 10, 5),
    "no spares": (8, 8, 4),
    "as many GPUs as a warp has threads": (40, 64, 32),
    "more GPUs than a warp has threads": (33, 66, 33),
    "eight slots a GPU": (20, 32, 4),
    "35 slots a GPU": (40, 70, 2),
    "one expert": (1, 6, 3),
    "hardly any that are not doubled": (3, 30, 3),
}


def loads_of(rng: np.random.Generator, experts: int) -> NumPyArray:
    """Layers with few tokens, many, most with some experts, all with one, one token, and none."""
    rows = np.zeros((6, experts), np.int64)
    rows[0] = rng.integers(0, 4, experts)
    rows[1] = rng.integers(0, 10**5, experts)
    rows[2] = rng.pareto(0.6, experts).clip(max=10**5) * 100
    rows[3, rng.integers(experts)] = 12345
    rows[4, rng.integers(experts)] = 1
    return rows


def of_rows(phy2log: Sequence[int] | NumPyArray, tokens: NumPyArray, gpus: int) -> Batch:
    """One plan for all layers."""
    return Batch(np.tile(np.asarray(phy2log, np.int64), (len(tokens), 1)), tokens, gpus)


def mixed_plans(rng: np.random.Generator, shape: Shape) -> NumPyArray:
    """One of each kind."""
    return np.stack([kind(rng, shape) for kind in (random_plan, greedy_plan, ring_plan)])


@pytest.mark.parametrize("shape", SIZES.values(), ids=SIZES)
def test_every_size(interpreted: Interpreted, shape: Shape) -> None:
    rng = np.random.default_rng(shape[1])
    plans = mixed_plans(rng, shape)
    check(interpreted, Batch(plans, loads_of(rng, shape[0])[:3], shape[2]))


def test_loads_of_every_kind(interpreted: Interpreted) -> None:
    shape = (9, 16, 4)  # no ring
    rng = np.random.default_rng(0)
    check(interpreted, of_rows(random_plan(rng, shape), loads_of(rng, 9), 4))


def test_every_expert_on_every_gpu(interpreted: Interpreted) -> None:
    for experts, gpus in ((4, 4), (3, 5)):
        tokens = loads_of(np.random.default_rng(1), experts)
        check(interpreted, of_rows(np.tile(np.arange(experts), gpus), tokens, gpus), rounds=10)


@pytest.mark.parametrize("rounds", [0, 1, 3, 64])
@pytest.mark.parametrize("tolerance", [0.0, 2.0**-10, 0.05])
def test_rounds_and_tolerances(interpreted: Interpreted, rounds: int, tolerance: float) -> None:
    shape = (10, 20, 5)
    rng = np.random.default_rng(6)
    plans = np.stack([random_plan(rng, shape), random_plan(rng, shape), ring_plan(rng, shape)])
    found = check(interpreted, Batch(plans, loads_of(rng, 10)[:3], 5), rounds=rounds, tolerance=tolerance)
    assert found.rounds.max() <= rounds


# Experts in the slots of each GPU, and the GPUs of a ring, or 0 where there is none.
RINGS: dict[str, tuple[list[list[int]], int]] = {
    "a whole turn": ([[0, 3, 4], [0, 1, 5], [1, 2, 6], [2, 3, 7]], 4),
    "a whole turn of pairs": ([[3, 0], [0, 1], [1, 2], [2, 3]], 4),
    "open": ([[0, 3], [0, 1], [1, 2], [4, 2]], 4),
    "gaps": ([[0, 3], [0, 4], [1, 5], [6, 1], [2, 1], [2, 7]], 6),
    "a long stretch over the seam": ([[0, 1], [2, 0], [3, 4], [5, 6], [7, 0], [0, 8]], 6),
    "one on all GPUs": ([[0, 1], [0, 2], [3, 0], [0, 4]], 4),
    "on a node each": ([[0, 2], [0, 1], [1, 2], [3, 5], [3, 4], [4, 6]], 3),
    "on three nodes of two": ([[0, 1], [0, 2], [4, 3], [3, 5], [6, 7], [6, 8]], 2),
    "doubled": ([[0, 0, 3], [0, 1, 1], [1, 2, 2], [2, 3, 3]], 4),
    "links nowhere": ([[0, 1], [2, 3], [4, 5]], 1),
    "two turns": ([[0, 2, 3, 5], [0, 1, 3, 4], [1, 2, 4, 5]], 0),
    "a pair that are no neighbours": ([[0, 1], [1, 2], [0, 3], [2, 4]], 0),
}


@pytest.mark.parametrize(("slots", "size"), RINGS.values(), ids=RINGS)
def test_rings(interpreted: Interpreted, slots: list[list[int]], size: int) -> None:
    phy2log = np.ravel(slots)
    batch = of_rows(phy2log, loads_of(np.random.default_rng(2), phy2log.max() + 1)[1:5], len(slots))
    assert (prepared_of(batch).size == size).all()
    found = check(interpreted, batch, rounds=10, tolerance=0.0)
    assert not (size and found.rounds.any())
    assert size or found.rounds.any()


@pytest.mark.parametrize(
    ("name", "tokens"), [("open", [0, 0, 3, 2, 2]), ("gaps", [10, 22, 25, 3, 21, 24, 10, 24])], ids=["open", "gaps"]
)
def test_a_proof_ends_where_a_stretch_does(interpreted: Interpreted, name: str, tokens: list[int]) -> None:
    """GPUs in the midst of one must pass on more than fits, too."""
    slots, _ = RINGS[name]
    check(interpreted, of_rows(np.ravel(slots), np.array([tokens]), len(slots)))


def test_bits_of_a_token_and_whole_rounds(interpreted: Interpreted) -> None:
    """With a bit fewer, or a round more of whole tokens, these shares would be others."""
    phy2log, tokens = [2, 0, 3, 3, 1, 5, 4, 1, 0, 4, 4, 5], np.array([[980, 536, 574, 668, 983, 451]])
    found = check(interpreted, of_rows(phy2log, tokens, 4), tolerance=0.0)
    assert found.rounds.tolist() == [20]


@pytest.mark.parametrize("size", [4, 0])
def test_layers_with_as_many_tokens_as_fit(interpreted: Interpreted, size: int) -> None:
    slots = RINGS["a whole turn"][0] if size else [[0, 1, 2], [3, 4, 0], [1, 5, 6], [7, 2, 0]]
    tokens = np.zeros((5, 8), np.int64)
    tokens[0, 0] = MOST
    tokens[1, 5] = MOST
    tokens[2] = MOST // 8
    tokens[3, [0, 1]] = 2**29, 2**29 - 1
    tokens[4] = 2**30 >> np.arange(1, 9)  # a power of two less than there may be
    batch = of_rows(np.ravel(slots), tokens, 4)
    assert (prepared_of(batch).size == size).all()
    check(interpreted, batch, rounds=10, tolerance=0.0)


RING_AND_OTHER = np.array([[0, 4, 0, 1, 1, 2, 2, 3], [0, 1, 2, 3, 4, 0, 0, 4]])


@pytest.mark.parametrize(
    "dtype",
    [
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "bfloat16", "float32", "float64"),
    ],
)
def test_every_dtype_and_stride(interpreted: Interpreted, dtype: str) -> None:
    """The largest of each, which are halved; what is below zero; floats that are whole numbers, and others."""
    kind = np.dtype(dtype)
    rng = np.random.default_rng(3)
    rows = np.round(rng.random((4, 5)) * 127)
    rows[1, :2] = 0, 1
    if kind.kind in "iu":
        tokens = rows.astype(dtype)
        tokens[2] = np.iinfo(dtype).max
        tokens[3, 1:] = (np.iinfo(dtype).min, 0, 5, np.iinfo(dtype).max)
    else:
        rows[2:] *= [[1.37], [0.01]]
        tokens = rows.astype(kind)
        tokens[1, 0] = ml_dtypes.finfo(kind).max
    check(interpreted, Batch(RING_AND_OTHER, tokens[:2], 4))
    check(interpreted, Batch(RING_AND_OTHER, tokens[2:], 4), is_spread=True)


def test_integers_that_are_too_many_are_halved(interpreted: Interpreted) -> None:
    for dtype, values in (
        ("int32", (2**30, 2**30 + 1, 2**31 - 1, -(2**31), 7)),
        ("uint32", (2**30, 2**30 + 3, 2**31 + 5, 2**32 - 1, 7)),
        ("int64", (2**30 - 1, 1, 2**40, -(2**63), 2**63 - 1)),
        ("uint64", (2**30 - 1, 1, 2**40, 2**63, 2**64 - 1)),
    ):
        tokens = np.stack([np.roll(np.array(values, dtype), by) for by in range(4)])
        tokens[3] //= 2**9
        check(interpreted, Batch(np.tile(RING_AND_OTHER, (2, 1)), tokens, 4))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_what_is_no_load_has_no_tokens(interpreted: Interpreted, dtype: str) -> None:
    tokens = np.array([[3.0, 7.0, 2.0, 9.0, 4.0], [3.25, 7.0, 2.0, 9.5, 4.0]] * 3)
    tokens[:2, 1] = np.nan
    tokens[2:4, 0] = np.inf
    tokens[4:, 2:4] = -np.inf, -1.0
    plans = np.repeat(RING_AND_OTHER, 3, axis=0)
    check(interpreted, Batch(plans, tokens.astype(np.dtype(dtype)), 4))


def test_loads_of_every_size(interpreted: Interpreted) -> None:
    rng = np.random.default_rng(4)
    largest = float(np.finfo(np.float32).max)
    rows = [rng.pareto(1, 5) * scale for scale in (1e-38, 1e-3, 1, 1e9, 1e37)]
    rows += [np.array([largest, 0, 1, 2.0**60, 2.0**68]), np.array([2.0**-140, 2.0**-126, 2.0**-125, 0, 2.0**-127])]
    rows += [np.array([2.0**30, 0, 0, 0, 0]), np.array([2.0**30 - 64, 0, 32, 0, 0]), np.array([2.0**24, 0.5, 0, 0, 0])]
    tokens = np.stack(rows).clip(max=largest)
    for dtype in ("float32", "float64"):
        check(interpreted, of_rows(RING_AND_OTHER[1], tokens.astype(dtype), 4))


@pytest.mark.parametrize("rows", [1, 2, 3, 6])
def test_more_colours_than_are_written_down_at_once(interpreted: Interpreted, rows: int) -> None:
    shape = (9, 24, 6)
    rng = np.random.default_rng(5)
    batch = Batch(np.stack([random_plan(rng, shape) for _ in range(2)]), loads_of(rng, 9)[1:3], 6)
    prepared = prepared_of(batch)
    colours = np.where(prepared.holders > 1, prepared.colour + span(prepared.holders), 0).max(axis=1)
    assert colours.min() > 7
    assert launch_of(2, *shape).rows > colours.max()
    check(interpreted, batch, rows=rows, rounds=4, tolerance=0.0)


# An example takes a third of a second.
few = settings(max_examples=-(-settings().max_examples // 2))
poisons = st.sampled_from([POISON, -1, 0, 1, 2**31 - 1])
options = st.fixed_dictionaries(
    {"rounds": st.sampled_from([0, 1, 2, 5, 64]), "tolerance": st.sampled_from([0.0, 2.0**-10, 0.3]), "poison": poisons}
)


@few
@given(
    batch=batches([(8, 12, 4), (6, 12, 4), (3, 9, 3), (5, 12, 6)], layers=2),
    options=options,
    rows=st.sampled_from([None, 2, 5]),
)
def test_any_plan_and_loads(interpreted: Interpreted, batch: Batch, options: dict[str, Any], rows: int | None) -> None:
    check(interpreted, batch, rows=rows, **options)


@few
@given(batch=st.one_of(on_rings(), on_rings([(7, 9, 3), (3, 6, 3)], nodes=2)), options=options)
def test_any_ring(interpreted: Interpreted, batch: Batch, options: dict[str, Any]) -> None:
    check(interpreted, batch, **options)
