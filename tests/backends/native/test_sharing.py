"""Shares by native code are those of the once-written code, bit for bit, in lanes of every width."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import rebalance_experts
from eplb_xp.algorithms.sharing import shares as once_written
from eplb_xp.backends.launching import from_numpy, shares_from_numpy
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NumPyArray
from tests.support.loads import thorough, weights
from tests.support.native import LANES, needs_native
from tests.support.shares import Batch, batches, drawn_plans, random_plan, shapes_of_all_proportions
from tests.support.shares_by_native import (
    assert_both_same,
    assert_same,
    native,
    prepared_of,
    slots_of_all_kinds,
    tolerances,
    within,
)
from tests.support.threads import at_once

pytestmark = needs_native


@thorough
@given(slots=slots_of_all_kinds())
def test_plans_are_prepared_as_by_the_once_written_code(slots: tuple[NumPyArray, int, int]) -> None:
    phy2log, experts, gpus = slots
    expected = prepared_of(phy2log, experts, gpus)
    for lanes in LANES:
        found = native(shares_from_numpy.prepare, phy2log, num_experts=experts, num_gpus=gpus, lanes=lanes)
        assert_same(found, expected)


@thorough
@given(data=st.data(), rounds=st.sampled_from([0, 1, 2, 5, 64]), tolerance=tolerances)
def test_shares_are_those_of_the_once_written_code(data: st.DataObject, rounds: int, tolerance: float) -> None:
    batch = data.draw(batches([data.draw(shapes_of_all_proportions())]))
    assert_both_same(batch, batch.tokens, rounds, tolerance)


@thorough
@given(weight=weights((3, 8)), seed=st.integers(0, 2**32 - 1))
def test_loads_of_all_families(weight: NumPyArray, seed: int) -> None:
    assert_both_same(Batch(drawn_plans(seed, 3, (8, 12, 4)), weight, 4), weight)


# Experts, replicas, groups, nodes, GPUs, policy: rings of all GPUs and of nodes', others, and many holders.
LARGE = {
    "ring": (64, 80, 1, 1, 16, "ring"),
    "ring of nodes": (64, 96, 8, 4, 16, "ring"),
    "two turns": (64, 96, 1, 1, 16, "ring"),
    "joint": (64, 80, 1, 1, 16, "joint"),
    "many GPUs": (150, 300, 1, 1, 100, "joint"),
    "many holders": (12, 132, 1, 1, 33, "swap"),
    "one expert": (1, 40, 1, 1, 40, "swap"),
    "one GPU": (20, 30, 1, 1, 1, "greedy"),
    "no spares": (64, 64, 1, 1, 8, "joint"),
}


@pytest.mark.parametrize("sizes", LARGE.values(), ids=LARGE)
def test_plans_of_many_gpus(sizes: Any) -> None:
    experts, replicas, groups, nodes, gpus, policy = sizes
    rng = np.random.default_rng(0)
    past = rng.lognormal(5, 1, (6, experts)).astype(np.float32)
    batch = rng.poisson(past * rng.lognormal(0, 0.5, past.shape))
    batch[0], batch[1, 1:] = 0, 0
    phy2log = rebalance_experts(past, replicas, groups, nodes, gpus, policy=policy).phy2log
    assert_both_same(Batch(phy2log, batch, gpus), batch)
    assert_both_same(Batch(phy2log, batch, gpus), past, tolerance=0.0)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint64", "float16", "float64", ">f4", ">i8"])
def test_loads_of_other_dtypes(dtype: str) -> None:
    rng = np.random.default_rng(0)
    weight: Any = rng.integers(0, 100, (6, 8)).astype(dtype)
    if weight.dtype.kind == "f":
        weight[3:] *= 0.3
    for given_weight in (weight, np.asfortranarray(weight), weight[::-1]):
        assert_both_same(Batch(drawn_plans(0, 6, (8, 12, 4)), given_weight, 4), given_weight)


@pytest.mark.parametrize(
    "values",
    [
        *([np.nan, 1], [np.inf, 2], [-1.0, 3], [-0.0, 0.0], [1e-45, 1e38], [2.0**30, 1.0], [2.0**29, 2.0**29]),
        *([-1, 3], [2**63 - 1, -(2**63)], [2**30, 1], [2**29, 2**29 - 1], [2**32 + 5, 2**40]),
    ],
)
def test_loads_beyond_the_door(values: list[float]) -> None:
    weight = np.resize(np.array(values), (3, 8))
    for dtype in [weight.dtype] if weight.dtype.kind == "i" else [np.float32, np.float64]:
        assert_both_same(Batch(drawn_plans(1, 3, (8, 12, 4)), weight, 4), weight.astype(dtype))


def test_the_largest_integers() -> None:
    weight = np.resize(np.array([2**64 - 1, 2**63, 5], np.uint64), (3, 8))
    assert_both_same(Batch(drawn_plans(1, 3, (8, 12, 4)), weight, 4), weight)


def test_threads_divide_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many callers as like, too."""
    rng = np.random.default_rng(0)
    batch = Batch(np.stack([random_plan(rng, (24, 32, 8)) for _ in range(7)]), rng.integers(0, 99, (7, 24)), 8)
    nothing = Batch(batch.phy2log[:0], batch.tokens[:0], 8)
    for threads in ("2", "9"):
        monkeypatch.setenv(from_numpy.THREADS, threads)
        for each in (batch, nothing):
            assert_both_same(each, each.tokens)
            found = native(shares_from_numpy.prepare, each.phy2log, num_experts=24, num_gpus=8)
            assert_same(found, prepared_of(each.phy2log, 24, 8))
    want = LIBRARY.call(once_written.share_of_plan, *arrays_of(batch), num_gpus=8, rounds=9)
    for found in at_once(
        lambda _: shares_from_numpy.share_of_plan(LIBRARY, *arrays_of(batch), num_gpus=8, rounds=9), 6
    ):
        assert_same(found, want)


def arrays_of(batch: Batch) -> tuple[NumPyArray, ...]:
    return batch.phy2log, within(0.0, batch.tokens), batch.tokens
