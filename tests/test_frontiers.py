"""frontier, plan_at and spend: what they may be given, and what is said where that is something else."""

from typing import Any

import numpy as np
import pytest

from eplb_xp import Frontier, Plan, frontier, plan_at, rebalance_experts, spend
from tests.support.frontiers import bought
from tests.support.libraries import LIBRARIES, NUMPY, Library, over

SIZES, NODES = (6, 1, 1, 3), (6, 2, 2, 2)
WEIGHT = np.array([[9, 4, 3, 2], [1, 6, 5, 7]], np.float32)
PREVIOUS = np.array([[0, 1, 0, 2, 3, 2], [0, 1, -1, 2, 3, 3]])
SPLIT = np.array([[0, 1, 0, 2, 3, 2], [0, 1, 3, 2, 3, 3]])
OUTSIDE = np.array([[0, 1, 0, 2, 3, 2], [0, 1, 4, 2, 3, 3]])
FOUND = frontier(WEIGHT, *SIZES, previous=PREVIOUS, max_moves=2)
# With what type checkers refuse.
made: Any = frontier
at: Any = plan_at
divided: Any = spend

REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"max_moves": -1}, ValueError, "max_moves must be at least 0, got -1"),
    ({"max_moves": 1.5}, TypeError, r"max_moves must be an integer, got 1\.5 of type float"),
    ({"max_moves": None}, TypeError, "max_moves must be an integer, got None"),
    (
        {"max_moves": np.array([1, 2])},
        TypeError,
        r"max_moves must be an integer, got array\(\[1, 2\]\) of type ndarray",
    ),
    ({"previous": None}, TypeError, "previous must be an array of NumPy, .* got NoneType"),
    ({"previous": PREVIOUS * 1.0}, TypeError, "previous must be of integers, got dtype float64"),
    ({"previous": PREVIOUS[:1]}, ValueError, r"previous must have shape .* here \(2, 6\), got \(1, 6\)"),
    ({"previous": OUTSIDE}, ValueError, r"an expert that is not there: 4 at \[1, 2\], experts are 0 to 3"),
    (
        {"previous": np.array([[0, 1, 2, 3, 0, 1], [3, 3, 0, 1, 3, 2]]), "max_replicas": 2},
        ValueError,
        "previous has 3 replicas of expert 3 in layer 1, more than max_replicas=2",
    ),
    ({"max_replicas": 1}, ValueError, "max_replicas must be between 2, .* and 4096, got 1"),
    (
        {"max_replicas": 2, "policy": "greedy"},
        ValueError,
        "max_replicas caps the replica counts, .* got max_replicas=2",
    ),
    ({"policy": "best"}, ValueError, "'best'"),
    ({"sizes": NODES, "previous": SPLIT}, ValueError, "group 1 of layer 1 is on 2 nodes"),
    ({"sizes": (7, 1, 1, 3)}, ValueError, "num_replicas"),
    ({"gpus_per_node": 2}, ValueError, "gpus_per_node must divide num_gpus: 2 does not divide 3; .*=1 or 3"),
    ({"far_cost": 2}, ValueError, "far_cost=2 is what a move from another node counts: say gpus_per_node"),
    ({"far_cost": 1001, "gpus_per_node": 1}, ValueError, "far_cost must be at most 1000, got 1001"),
    ({"sample_weights": np.ones(2)}, ValueError, r"sample_weights must have shape .* here \(1,\), got \(2,\)"),
    ({"weight": -WEIGHT}, ValueError, "weight has .* negative"),
    ({"min_gain": 0.1}, TypeError, r"frontier\(\) takes no min_gain"),
]


@pytest.mark.parametrize(("changed", "error", "message"), REFUSED)
def test_what_is_refused(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    given = {"weight": WEIGHT, "previous": PREVIOUS, "max_moves": 2, "sizes": SIZES, **changed}
    before = [x.tobytes() for x in given.values() if isinstance(x, np.ndarray)]
    arrays = [x for x in given.values() if isinstance(x, np.ndarray)]
    with pytest.raises(error, match=message):
        made(given.pop("weight"), *given.pop("sizes"), **given)
    assert [x.tobytes() for x in arrays] == before


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"moves": -1}, ValueError, "moves must be at least 0, got -1"),
        ({"moves": np.array([1, -3])}, ValueError, "moves must be at least 0, got -3"),
        ({"moves": 1.0}, TypeError, r"moves must be an integer, got 1\.0 of type float"),
        ({"moves": [1, 2]}, TypeError, r"moves must be an integer, got \[1, 2\] of type list"),
        ({"moves": np.ones(2)}, TypeError, "moves must be of integers, got dtype float64"),
        ({"moves": np.array([1, 2, 3])}, ValueError, r"moves must be .* \(2,\), got \(3,\)"),
        ({"moves": 1, "max_replicas": 0}, ValueError, "max_replicas must be at least 1, got 0"),
        ({"moves": 1, "max_replicas": 1}, ValueError, "max_replicas must be at least [23], which an expert .* got 1"),
        ({"moves": 1, "max_replicas": 2.0}, TypeError, r"max_replicas must be a positive integer, got 2\.0"),
        ({"moves": 1, "frontier": Plan(PREVIOUS, PREVIOUS, PREVIOUS)}, TypeError, "must be a Frontier, .* got Plan"),
        ({"moves": 1, "frontier": tuple(FOUND)}, TypeError, "must be a Frontier, .* got tuple"),
    ],
)
def test_what_no_plan_is_taken_for(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        at(**{"frontier": FOUND, **given})


@pytest.mark.parametrize(
    ("total", "error", "message"),
    [
        (-1, ValueError, "total must be at least 0, got -1"),
        (np.array(-2), ValueError, "total must be at least 0, got -2"),
        (1.0, TypeError, r"total must be an integer, got 1\.0 of type float"),
        (True, TypeError, "total must be an integer, got True of type bool"),
        (None, TypeError, "total must be an integer, got None"),
        (np.array(1.0), TypeError, "total must be of integers, got dtype float64"),
        (np.array([1]), ValueError, r"an integer or an array of no dimensions, got shape \(1,\)"),
        (np.array([1, 2]), ValueError, r"an integer or an array of no dimensions, got shape \(2,\)"),
    ],
)
def test_what_is_not_divided(total: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        divided(FOUND, total)
    with pytest.raises(TypeError, match=r"frontier must be a Frontier, which .* makes, got Plan"):
        divided(plan_at(FOUND, 1), 1)


def test_numbers_and_arrays_of_moves() -> None:
    for moves in (0, 1, 2, 3, 10**30):
        plan = plan_at(FOUND, moves)
        np.testing.assert_array_equal(plan.phy2log, FOUND.phy2log[:, min(moves, 2)])
        if moves < 100:
            number: Any
            for number in (np.array(moves), np.full(2, moves, np.uint8), np.int16(moves)):
                np.testing.assert_array_equal(at(FOUND, number).phy2log, plan.phy2log)
    mixed = plan_at(FOUND, np.array([2, 0]))
    np.testing.assert_array_equal(mixed.phy2log, [FOUND.phy2log[0, 2], FOUND.phy2log[1, 0]])
    for total in (0, 1, 3, 4):
        for number in (np.array(total), np.int8(total), np.array(total, np.uint16)):
            np.testing.assert_array_equal(divided(FOUND, number), spend(FOUND, total))


def test_maps_are_those_of_a_plan() -> None:
    full = np.array([[0, 1, 0, 2, 3, 2], [0, 1, 2, 2, 3, 3]])
    for cap in (None, 2, 3, 9):
        plan = rebalance_experts(WEIGHT, *SIZES, previous=full, max_moves=0, max_replicas=cap)
        found = frontier(WEIGHT, *SIZES, previous=full, max_moves=1, max_replicas=cap)
        for ours, theirs in zip(plan_at(found, 0, max_replicas=cap), plan, strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


def test_what_is_previous_may_be_a_plan_or_begin_with_slots() -> None:
    for previous in (Plan(PREVIOUS, PREVIOUS, PREVIOUS), (PREVIOUS,), (PREVIOUS, "no array"), PREVIOUS.astype(np.int8)):
        found = made(WEIGHT, *SIZES, previous=previous, max_moves=2)
        for ours, theirs in zip(found, FOUND, strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


def test_samples_that_count_differently() -> None:
    """With weights busiest GPUs are shares, of one sample too."""
    samples = np.stack([WEIGHT, WEIGHT[::-1]])
    one = made(samples, *SIZES, previous=PREVIOUS, max_moves=2, sample_weights=np.array([1, 0]))
    np.testing.assert_array_equal(one.phy2log, FOUND.phy2log)
    np.testing.assert_allclose(one.busiest, FOUND.busiest / WEIGHT.sum(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(one.balancedness, FOUND.balancedness, rtol=1e-6)
    alone = made(WEIGHT, *SIZES, previous=PREVIOUS, max_moves=2, sample_weights=np.array([3.0]))
    np.testing.assert_allclose(alone.busiest, one.busiest, rtol=1e-6)


ALONE = [each for each in LIBRARIES if each.reads_values and each.array is not np.ndarray and each.name != "torch-cuda"]


@over(ALONE)
def test_arrays_must_be_of_one_library(library: Library) -> None:
    weight, previous = library.asarray(WEIGHT), library.asarray(PREVIOUS.astype(np.int32))
    two = library.asarray(np.array([1, 1], np.int32))
    with pytest.raises(TypeError, match="all arrays must be of the same library, got previous of"):
        made(weight, *SIZES, previous=PREVIOUS, max_moves=1)
    with pytest.raises(TypeError, match="all arrays must be of the same library, got previous of"):
        made(WEIGHT, *SIZES, previous=previous, max_moves=1)
    with pytest.raises(TypeError, match="all arrays must be of the same library, got moves of"):
        at(FOUND, two)
    with pytest.raises(TypeError, match="all arrays must be of the same library, got total of"):
        divided(FOUND, two[0])
    found = library.run(bought, PREVIOUS.astype(np.int32), WEIGHT[:, None], sizes=SIZES, max_moves=2)
    want = NUMPY.run(bought, PREVIOUS, WEIGHT[:, None], sizes=SIZES, max_moves=2)
    for ours, theirs in zip(found, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_arrays_that_cannot_be_written_to() -> None:
    given = Frontier(*(x.copy() for x in FOUND))
    for x in given:
        x.flags.writeable = False
    moves = np.array([1, 2])
    moves.flags.writeable = False
    for result in (*plan_at(given, moves), spend(given, 2)):
        assert result.flags.writeable
    for x, y in zip(given, FOUND, strict=True):
        np.testing.assert_array_equal(x, y)
