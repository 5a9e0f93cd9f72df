"""Slots of experts and loads of slots, beside loops on every library."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import expert_loads, logical_maps, rebalance_experts
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import slots as reference

EXPERTS, REPLICAS = 6, 15


def drawn(seed: int, experts: int, shape: tuple[int, int], empty: float = 0.2) -> NumPyArray:
    """Any placement, of which some experts may have no slot."""
    rng = np.random.default_rng(seed)
    placed = np.minimum(rng.geometric(0.4, shape) - 1, experts - 1)
    return np.where(rng.random(shape) < empty, -1, placed).astype(np.int32)


def floats(seed: int, shape: tuple[int, ...]) -> NumPyArray:
    """Of all sizes, so that each order of additions has another sum."""
    rng = np.random.default_rng(seed)
    smallest = np.float32(2.0**-126) * rng.choice([0.3, 0.9, 1.0, 1.5], shape)
    return np.where(rng.random(shape) < 0.1, smallest, rng.lognormal(0, 8, shape) * (rng.random(shape) < 0.8)).astype(
        np.float32
    )


@every_library
@given(seed=st.integers(0, 2**32 - 1))
def test_maps_of_every_library(library: Library, seed: int) -> None:
    phy2log = drawn(seed, EXPERTS, (3, REPLICAS))
    found = library.run(logical_maps, phy2log, num_experts=EXPERTS, width=REPLICAS)
    for ours, theirs in zip(found, reference.listed(phy2log, EXPERTS, REPLICAS), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@thorough
@given(seed=st.integers(0, 2**32 - 1), experts=st.integers(1, 9), more=st.integers(0, 6))
def test_maps_of_plans_are_their_own(seed: int, experts: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    plan = rebalance_experts(rng.pareto(1, (2, experts)), experts + more, 1, 1, 1, policy="greedy")
    for ours, theirs in zip(
        logical_maps(plan.phy2log, experts), reference.listed(plan.phy2log, experts, more + 1), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(logical_maps(plan.phy2log, experts)[1], plan.logcnt)


@every_library
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["int32", "uint8", "float32", "float16"]))
def test_loads_of_every_library(library: Library, seed: int, kind: str) -> None:
    phy2log = drawn(seed, EXPERTS, (3, REPLICAS))
    load = floats(seed, phy2log.shape)
    if kind not in library.dtypes:
        kind = "float32"
    load = np.clip(load, 0, 100 if kind in {"uint8", "float16"} else 2**26 if kind == "int32" else None).astype(kind)
    found = library.run(expert_loads, load, phy2log, num_experts=EXPERTS)
    np.testing.assert_array_equal(found, reference.summed(load, phy2log, EXPERTS), strict=True)


def of_steps(slot_load: Any, phy2log: Any) -> Any:
    """One step, its layers in front as all libraries of the tests have them."""
    return expert_loads(slot_load[None, ...], phy2log, EXPERTS)[0, ...]


@every_library
@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_steps_of_every_library(library: Library, kind: str) -> None:
    phy2log, load = drawn(1, EXPERTS, (3, REPLICAS)), floats(2, (3, REPLICAS)).clip(0, 2**20).astype(kind)
    np.testing.assert_array_equal(
        library.run(of_steps, load, phy2log), reference.summed(load, phy2log, EXPERTS), strict=True
    )


@pytest.mark.parametrize("kind", ["int64", "float32", "float64"])
def test_steps_are_summed_each_for_itself(kind: str) -> None:
    phy2log, load = drawn(3, EXPERTS, (3, REPLICAS)), floats(4, (5, 3, REPLICAS)).astype(kind)
    found = expert_loads(load, phy2log, EXPERTS)
    np.testing.assert_array_equal(found, reference.summed(load, phy2log, EXPERTS), strict=True)
    for one, its in zip(found, load, strict=True):
        np.testing.assert_array_equal(one, expert_loads(its, phy2log, EXPERTS))
    assert expert_loads(load[:0], phy2log, EXPERTS).shape == (0, 3, EXPERTS)
    assert expert_loads(load[:, :0], phy2log[:0], EXPERTS).shape == (5, 0, EXPERTS)
    assert expert_loads(load[0, :0], phy2log[:0], EXPERTS).shape == (0, EXPERTS)


def test_large_integers_are_exact() -> None:
    load = np.array([[2**53 + 1, 2**60, 1, 2**53]])
    assert expert_loads(load, np.array([[0, 1, 0, 0]]), 2).tolist() == [[2**54 + 2, 2**60]]


def test_what_is_no_number_is_its_experts_alone() -> None:
    load = np.array([[np.nan, 10, np.nan, 20, 5, 40], [1, np.inf, 3, 4, 5, 6]], np.float32)
    found = expert_loads(load, np.array([[2, 0, -1, 2, 3, 2], [0, 1, 2, 3, 1, 0]]), 4)
    np.testing.assert_array_equal(found, [[10, 0, np.nan, 5], [7, np.inf, 3, 4]])
