"""logical_maps and expert_loads: beside loops on every library, what is refused and why, dtypes and steps."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import expert_loads, logical_maps, rebalance_experts
from tests.support.libraries import LIBRARIES, Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.other_libraries import Jit

EXPERTS, REPLICAS = 6, 15
PHY2LOG = np.array([[2, 0, -1, 2, 3, 2], [0, 1, 2, 3, 1, 0]], np.int32)
LOAD = np.array([[30, 10, 7, 20, 5, 40], [1, 2, 3, 4, 5, 6]], np.int32)
mapping: Any = logical_maps  # with what type checkers refuse
folding: Any = expert_loads


def drawn(seed: int, experts: int, shape: tuple[int, int], empty: float = 0.2) -> NumPyArray:
    """Any placement, of which some experts may have no slot."""
    rng = np.random.default_rng(seed)
    placed = np.minimum(rng.geometric(0.4, shape) - 1, experts - 1)
    return np.where(rng.random(shape) < empty, -1, placed).astype(np.int32)


def listed(phy2log: NumPyArray, experts: int, width: int) -> tuple[NumPyArray, NumPyArray]:
    """Slot after slot; those that are too many are left out."""
    log2phy = np.full((len(phy2log), experts, width), -1)
    logcnt = np.zeros((len(phy2log), experts), np.int64)
    for layer, slots in enumerate(phy2log):
        for slot, expert in enumerate(slots):
            if 0 <= expert < experts and logcnt[layer, expert] < width:
                log2phy[layer, expert, logcnt[layer, expert]] = slot
                logcnt[layer, expert] += 1
    return log2phy, logcnt


def summed(slot_load: NumPyArray, phy2log: NumPyArray, experts: int) -> NumPyArray:
    """Slot after slot, in the dtype of the result."""
    dtype: Any = np.int64 if slot_load.dtype.kind in "iu" else np.float32
    total = np.zeros((*slot_load.shape[:-1], experts), dtype)
    if dtype is np.float32:
        slot_load = np.where(np.abs(slot_load) < 2.0**-126, 0, slot_load)
    for layer, slot in np.ndindex(phy2log.shape):
        if 0 <= phy2log[layer, slot] < experts:
            total[..., layer, phy2log[layer, slot]] += slot_load[..., layer, slot].astype(dtype)
    return total


@every_library
@given(seed=st.integers(0, 2**32 - 1))
def test_maps_of_every_library(library: Library, seed: int) -> None:
    phy2log = drawn(seed, EXPERTS, (3, REPLICAS))
    found = library.run(logical_maps, phy2log, num_experts=EXPERTS, width=REPLICAS)
    for ours, theirs in zip(found, listed(phy2log, EXPERTS, REPLICAS), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@thorough
@given(seed=st.integers(0, 2**32 - 1), experts=st.integers(1, 9), more=st.integers(0, 6))
def test_maps_of_plans_are_their_own(seed: int, experts: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    plan = rebalance_experts(rng.pareto(1, (2, experts)), experts + more, 1, 1, 1, policy="greedy")
    for ours, theirs in zip(logical_maps(plan.phy2log, experts), listed(plan.phy2log, experts, more + 1), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(logical_maps(plan.phy2log, experts)[1], plan.logcnt)


def mapped(phy2log: Any, *, width: int) -> Any:
    return logical_maps(phy2log, 4, width)


@every_library
def test_slots_beyond_the_width(library: Library) -> None:
    if library.reads_values:
        with pytest.raises(ValueError, match="width must be at least 3, the slots of expert 2 in layer 0, got 2"):
            library.run(mapped, PHY2LOG, width=2)
    else:
        for ours, theirs in zip(library.run(mapped, PHY2LOG, width=2), listed(PHY2LOG, 4, 2), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(library.run(mapped, PHY2LOG, width=9), listed(PHY2LOG, 4, 9), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_entries_that_are_not_read_and_not_there_are_empty_slots() -> None:
    library = Jit("jax-jit")
    others = np.where(PHY2LOG == 1, 4, np.where(PHY2LOG == 3, -7, PHY2LOG)).astype(np.int32)
    for ours, theirs in zip(library.run(mapped, others, width=3), listed(others, 4, 3), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for load in (LOAD, LOAD.astype(np.float32)):
        found = library.run(expert_loads, load, others, num_experts=4)
        np.testing.assert_array_equal(found, summed(load, others, 4))


def test_default_widths() -> None:
    assert logical_maps(PHY2LOG, 4)[0].shape == (2, 4, 3)
    assert logical_maps(np.array([[0, 7, -1]]), 8)[0].shape == (1, 8, 1)
    with pytest.raises(ValueError, match="at least 2, the slots of expert 7 in layer 1, by default it is 1"):
        logical_maps(np.array([[0, 7, -1], [7, 0, 7]]), 8)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"phy2log": PHY2LOG.tolist()}, TypeError, "phy2log must be an array of NumPy"),
        ({"phy2log": PHY2LOG * 1.0}, TypeError, "phy2log must be of integers, got dtype float64"),
        ({"phy2log": PHY2LOG[0]}, ValueError, r"phy2log must have shape \[layers, replicas\], got \(6,\)"),
        ({"phy2log": PHY2LOG[:, :0]}, ValueError, r"phy2log must have at least one slot, got shape \(2, 0\)"),
        (
            {"phy2log": PHY2LOG - 1},
            ValueError,
            r"not there: -2 at \[0, 2\], experts are 0 to 3, and -1 where a slot is",
        ),
        (
            {"num_experts": 3},
            ValueError,
            r"phy2log names an expert that is not there: 3 at \[0, 4\], experts are 0 to 2",
        ),
        ({"num_experts": 0}, ValueError, "num_experts must be at least 1, got 0"),
        ({"num_experts": 4.0}, TypeError, r"num_experts must be a positive integer, got 4\.0"),
    ],
)
def test_what_is_no_placement(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    given = {"phy2log": PHY2LOG, "num_experts": 4} | changed
    with pytest.raises(error, match=message):
        mapping(**given)
    with pytest.raises(error, match=message if "array of" not in message else "phy2log"):
        folding(LOAD, **given)


@pytest.mark.parametrize(
    ("load", "error", "message"),
    [
        (LOAD.tolist(), TypeError, "slot_load must be an array of NumPy"),
        (LOAD * 1j, TypeError, "slot_load must be of integers or real floats, got dtype complex128"),
        (LOAD > 9, TypeError, "slot_load must be of integers or real floats, got dtype bool"),
        (LOAD[0], ValueError, r"\[layers, replicas\], of phy2log \(2, 6\), or steps in front of it, got \(6,\)"),
        (LOAD[:, :5], ValueError, r"slot_load must have shape .*, got \(2, 5\)"),
        (LOAD[None, None], ValueError, r"slot_load must have shape .*, got \(1, 1, 2, 6\)"),
    ],
)
def test_what_are_no_loads(load: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        folding(load, PHY2LOG, 4)


@pytest.mark.parametrize("width", [0, -3, 1.5])
def test_what_is_no_width(width: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="width must be"):
        mapping(PHY2LOG, 4, width)


def floats(seed: int, shape: tuple[int, ...]) -> NumPyArray:
    """Of all sizes, so that each order of additions has another sum."""
    rng = np.random.default_rng(seed)
    smallest = np.float32(2.0**-126) * rng.choice([0.3, 0.9, 1.0, 1.5], shape)
    return np.where(rng.random(shape) < 0.1, smallest, rng.lognormal(0, 8, shape) * (rng.random(shape) < 0.8)).astype(
        np.float32
    )


@every_library
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["int32", "uint8", "float32", "float16"]))
def test_loads_of_every_library(library: Library, seed: int, kind: str) -> None:
    phy2log = drawn(seed, EXPERTS, (3, REPLICAS))
    load = floats(seed, phy2log.shape)
    if kind not in library.dtypes:
        kind = "float32"
    load = np.clip(load, 0, 100 if kind in {"uint8", "float16"} else 2**26 if kind == "int32" else None).astype(kind)
    found = library.run(expert_loads, load, phy2log, num_experts=EXPERTS)
    np.testing.assert_array_equal(found, summed(load, phy2log, EXPERTS), strict=True)


def of_steps(slot_load: Any, phy2log: Any) -> Any:
    """One step, its layers in front as all libraries of the tests have them."""
    return expert_loads(slot_load[None, ...], phy2log, EXPERTS)[0, ...]


@every_library
@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_steps_of_every_library(library: Library, kind: str) -> None:
    phy2log, load = drawn(1, EXPERTS, (3, REPLICAS)), floats(2, (3, REPLICAS)).clip(0, 2**20).astype(kind)
    np.testing.assert_array_equal(library.run(of_steps, load, phy2log), summed(load, phy2log, EXPERTS), strict=True)


@pytest.mark.parametrize("kind", ["int64", "float32", "float64"])
def test_steps_are_summed_each_for_itself(kind: str) -> None:
    phy2log, load = drawn(3, EXPERTS, (3, REPLICAS)), floats(4, (5, 3, REPLICAS)).astype(kind)
    found = expert_loads(load, phy2log, EXPERTS)
    np.testing.assert_array_equal(found, summed(load, phy2log, EXPERTS), strict=True)
    for one, its in zip(found, load, strict=True):
        np.testing.assert_array_equal(one, expert_loads(its, phy2log, EXPERTS))
    assert expert_loads(load[:0], phy2log, EXPERTS).shape == (0, 3, EXPERTS)
    assert expert_loads(load[:, :0], phy2log[:0], EXPERTS).shape == (5, 0, EXPERTS)
    assert expert_loads(load[0, :0], phy2log[:0], EXPERTS).shape == (0, EXPERTS)


def test_large_integers_are_exact() -> None:
    load = np.array([[2**53 + 1, 2**60, 1, 2**53]])
    assert expert_loads(load, np.array([[0, 1, 0, 0]]), 2).tolist() == [[2**54 + 2, 2**60]]


def test_what_is_no_number_is_its_experts_alone() -> None:
    load = LOAD.astype(np.float32)
    load[0, 0], load[0, 2], load[1, 1] = np.nan, np.nan, np.inf
    np.testing.assert_array_equal(expert_loads(load, PHY2LOG, 4), [[10, 0, np.nan, 5], [7, np.inf, 3, 4]])


def test_arrays_must_be_of_one_library() -> None:
    for library in LIBRARIES:
        if library.array is not np.ndarray and library.reads_values and library.name != "jax-vmap":
            for arrays in ((LOAD, library.asarray(PHY2LOG)), (library.asarray(LOAD), PHY2LOG)):
                with pytest.raises(TypeError, match="all arrays must be of the same library"):
                    folding(*arrays, 4)
