"""Moves divided among layers: beside all divisions there are, with numbers whose sums are exact."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import Frontier, spend
from tests.support.libraries import LIBRARIES, NUMPY, Library, NumPyArray, every_library, over

thorough = settings(max_examples=5 * settings().max_examples)


def frontier_of(busiest: Any) -> Frontier[Any]:
    """One whose busiest GPUs are these [layers, moves]; nothing else of it is read."""
    return Frontier(busiest, busiest, busiest, busiest)


def spent(busiest: Any, total: Any) -> Any:
    """The division, of a total of shape [1]."""
    return spend(frontier_of(busiest), array_namespace(total).reshape(total, ()))


def falling(steps: NumPyArray) -> NumPyArray:
    """Busiest GPUs, by what each move takes from them, convex or not: [layers, moves]."""
    return (steps.sum(axis=1, keepdims=True) - np.cumsum(steps, axis=1)).astype(np.float32)


@st.composite
def frontiers(draw: st.DrawFn) -> NumPyArray:
    """Of whole numbers; many moves bring nothing."""
    layers, marks = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = rng.integers(0, 9, (layers, marks)) * (rng.random((layers, marks)) < rng.choice([0.3, 0.7, 1.0]))
    return falling(steps)


def least(busiest: NumPyArray, total: int) -> float:
    """What the best of all divisions leaves."""
    layers, marks = busiest.shape
    divisions = (each for each in product(range(marks), repeat=layers) if sum(each) <= total)
    return min(float(sum(row[m] for row, m in zip(busiest, each, strict=True))) for each in divisions)


def assert_best(busiest: NumPyArray, total: int, made: NumPyArray) -> None:
    layers = np.arange(len(busiest))
    assert (made >= 0).all()
    assert made.sum() <= total
    assert busiest[layers, made].sum() == least(busiest, total)
    # Whatever move is left out, something is lost.
    assert (busiest[layers, np.clip(made - 1, 0, None)] > busiest[layers, made])[made > 0].all()


@thorough
@given(busiest=frontiers(), data=st.data())
def test_no_division_is_better(busiest: NumPyArray, data: st.DataObject) -> None:
    total = data.draw(st.integers(0, busiest.size))
    made = spend(frontier_of(busiest), total)
    assert made.dtype == np.int64
    assert_best(busiest, total, made)


# What the next move brings is not what a later one does: to give it to the steepest would be wrong.
LATE = np.array([[9, 9, 9, 0], [5, 4, 3, 2], [6, 2, 2, 2]], np.float32)


@pytest.mark.parametrize(
    ("total", "made"),
    [(0, [0, 0, 0]), (1, [0, 0, 1]), (2, [0, 1, 1]), (3, [3, 0, 0]), (4, [3, 0, 1]), (6, [3, 2, 1]), (7, [3, 3, 1])],
)
def test_gains_that_come_late(total: int, made: list[int]) -> None:
    assert spend(frontier_of(LATE), total).tolist() == made


def test_more_moves_than_there_are_or_than_bring_anything() -> None:
    for total in (7, 8, 9, 10, 2**31, 10**30, np.int64(2**40), np.uint8(200), np.array(2**62)):
        assert spend(frontier_of(LATE), total).tolist() == [3, 3, 1]
    flat = np.full((3, 4), 2.5, np.float32)
    assert spend(frontier_of(flat), 9).tolist() == [0, 0, 0]


def test_one_layer_and_one_number_of_moves() -> None:
    for total, made in enumerate([0, 1, 2, 2, 4, 4]):
        assert spend(frontier_of(np.array([[9, 8, 6, 6, 1]], np.float32)), total).tolist() == [made]
    assert spend(frontier_of(np.array([[3], [2]], np.float32)), 5).tolist() == [0, 0]


# Of equal divisions it is always the same one: later layers make as few moves as they can.
TIES = falling(np.array([[0, 3, 3, 0], [0, 3, 3, 0], [0, 0, 6, 0], [0, 3, 0, 3]]))
OF_TIES = [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [2, 0, 0, 0],
    [2, 1, 0, 0],
    [2, 2, 0, 0],
    [2, 1, 2, 0],
    [2, 2, 2, 0],
    [2, 2, 2, 1],
]


@over(library for library in LIBRARIES if library.name != "jax-vmap")  # which turns layers round
def test_equal_divisions(library: Library) -> None:
    for total, made in enumerate(OF_TIES):
        assert library.run(spent, TIES, np.array([total], np.int32)).tolist() == made
        assert_best(TIES, total, np.array(made))


RNG = np.random.default_rng(0)
# No two divisions are equal.
LOADS = np.sort(RNG.lognormal(0, 1, (5, 4)), axis=1)[:, ::-1].astype(np.float32)


@every_library
def test_the_same_on_every_library(library: Library) -> None:
    for total in (0, 1, 4, 7, 15, 100):
        made = library.run(spent, LOADS, np.array([total], np.int32))
        np.testing.assert_array_equal(made, NUMPY.run(spent, LOADS, np.array([total])), strict=True)
        assert made.sum() == min(total, 15)


@every_library
def test_no_layers(library: Library) -> None:
    made = library.run(spent, np.zeros((0, 4), np.float32), np.array([3], np.int32))
    assert made.shape == (0,)
    assert made.dtype == np.int64


def test_idle_layers_and_infinite_loads() -> None:
    """What overflows is infinite with any number of moves, and leaves the others nothing to compare."""
    assert spend(frontier_of(np.zeros((2, 3), np.float32)), 4).tolist() == [0, 0]
    made = spend(frontier_of(np.array([[np.inf, np.inf], [4, 3]], np.float32)), 1)
    assert made.sum() <= 1
