"""previous, max_moves and min_gain: what they may be, what is said where they are something else."""

from typing import Any

import numpy as np
import pytest

from eplb_xp import Plan, rebalance_experts
from tests.support.following import NO_CAP, renewed
from tests.support.libraries import LIBRARIES, NUMPY, Library, NumPyArray, over
from tests.support.plans import assert_same

SIZES, NODES = (6, 1, 1, 3), (6, 2, 2, 2)
WEIGHT = np.array([[9, 4, 3, 2], [1, 6, 5, 7]], np.float32)
PREVIOUS = np.array([[0, 1, 0, 2, 3, 2], [0, 1, -1, 2, 3, 3]])
SPLIT = np.array([[0, 1, 0, 2, 3, 2], [0, 1, 3, 2, 3, 3]])
OUTSIDE, BELOW = PREVIOUS.copy(), PREVIOUS.copy()
OUTSIDE[1, 4], BELOW[0, 2] = 4, -2
planned: Any = rebalance_experts  # with what type checkers refuse

REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"previous": None, "max_moves": 1}, ValueError, "max_moves is how much .*: give that plan as previous"),
    ({"previous": None, "max_moves": np.array(0)}, ValueError, "max_moves is how much .* previous"),
    ({"previous": None, "min_gain": 0.1}, ValueError, "min_gain is what a change .*: give that plan as previous"),
    ({"previous": None, "min_gain": np.array(0.0)}, ValueError, "min_gain is what .* as previous"),
    ({"previous": None, "min_gain": 0.1, "weight": WEIGHT[None]}, ValueError, "min_gain is .* as previous"),
    ({"previous": PREVIOUS.tolist()}, TypeError, "previous must be an array of NumPy"),
    ({"previous": PREVIOUS * 1.0}, TypeError, "previous must be of integers, got dtype float64"),
    ({"previous": PREVIOUS > 1}, TypeError, "previous must be of integers, got dtype bool"),
    ({"previous": (PREVIOUS * 1.0, PREVIOUS)}, TypeError, "previous must be of integers, got dtype float64"),
    (
        {"previous": PREVIOUS[0]},
        ValueError,
        r"previous must have shape \[layers, num_replicas\], here \(2, 6\), got \(6,",
    ),
    ({"previous": PREVIOUS[:1]}, ValueError, r"previous must have shape .* here \(2, 6\), got \(1, 6\)"),
    ({"previous": PREVIOUS[:, :4]}, ValueError, r"previous must have shape .* here \(2, 6\), got \(2, 4\)"),
    ({"previous": PREVIOUS[None]}, ValueError, r"here \(2, 6\), got \(1, 2, 6\)"),
    (
        {"previous": OUTSIDE},
        ValueError,
        r"previous names an expert that is not there: 4 at \[1, 4\], experts are 0 to 3, and -1 is a slot that holds",
    ),
    ({"previous": BELOW}, ValueError, r"previous names an expert that is not there: -2 at \[0, 2\]"),
    (
        {"previous": np.array([[0, 1, 2, 3, 0, 1], [3, 3, 0, 1, 3, 2]]), "max_replicas": 2},
        ValueError,
        "previous has 3 replicas of expert 3 in layer 1, more than max_replicas=2",
    ),
    (
        {"previous": SPLIT, "sizes": NODES},
        ValueError,
        "group 1 of layer 1 is on 2 nodes; plan without previous once, or with num_groups=1, num_nodes=1",
    ),
    (
        {"previous": np.array([[0, 0, 1, 2, 3, 3], [0, 1, 2, -1, -1, 3]]), "sizes": (6, 4, 2, 2)},
        ValueError,
        r"previous has 3 groups on node 0 of layer 1; 4 groups on 2 nodes are 2 a node",
    ),
    ({"max_moves": -1}, ValueError, "max_moves must be at least 0, got -1"),
    ({"max_moves": np.array([1, -3])}, ValueError, "max_moves must be at least 0, got -3"),
    ({"max_moves": 1.0}, TypeError, r"max_moves must be an integer, got 1\.0 of type float"),
    ({"max_moves": True}, TypeError, "max_moves must be an integer, got True of type bool"),
    ({"max_moves": "1"}, TypeError, "max_moves must be an integer, got '1' of type str"),
    ({"max_moves": [1, 2]}, TypeError, r"max_moves must be an integer, got \[1, 2\] of type list"),
    ({"max_moves": np.float32(1)}, TypeError, "max_moves must be an integer, got .* of type float32"),
    ({"max_moves": np.array([1.0, 2.0])}, TypeError, "max_moves must be of integers, got dtype float64"),
    ({"max_moves": np.array([1, 2, 3])}, ValueError, r"shape \(\) or \[layers\], \(2,\), got \(3,\)"),
    ({"max_moves": np.array([[1], [2]])}, ValueError, r"max_moves must be an integer, or of shape .* got \(2, 1\)"),
    ({"gpus_per_node": 2}, ValueError, "gpus_per_node must divide num_gpus: 2 does not divide 3; .*=1 or 3"),
    ({"far_cost": 2, "gpus_per_node": 1}, ValueError, "far_cost=2 is what a move .* counts in max_moves: give that"),
    ({"far_cost": 2, "max_moves": 1}, ValueError, "far_cost=2 is what a move from another node counts: say gpus_per_n"),
    ({"far_cost": 0}, ValueError, "far_cost must be at least 1, got 0"),
    ({"far_cost": 1001}, ValueError, "far_cost must be at most 1000, got 1001"),
    ({"far_cost": 1.5}, TypeError, "far_cost must be a positive integer, got 1.5"),
    (
        {"sizes": NODES, "previous": PREVIOUS, "max_moves": 1, "far_cost": 3, "gpus_per_node": 1},
        ValueError,
        r"keeps every group on one of 2 nodes of 1 GPUs, so far_cost=3 has nothing to count; leave it at 1, or plan wi",
    ),
    ({"min_gain": -0.1}, ValueError, r"min_gain must be between 0 and 1, got -0\.1"),
    ({"min_gain": 1.5}, ValueError, r"min_gain must be between 0 and 1, got 1\.5"),
    ({"min_gain": float("nan")}, ValueError, "min_gain must be between 0 and 1, got nan"),
    ({"min_gain": "much"}, TypeError, "min_gain must be a number, got 'much' of type str"),
    ({"min_gain": True}, TypeError, "min_gain must be a number, got True of type bool"),
    ({"min_gain": np.array([0.1, 0.2])}, ValueError, r"a number or an array of no dimensions, got shape \(2,\)"),
    ({"min_gain": np.array(1.5)}, ValueError, r"min_gain must be between 0 and 1, got 1\.5"),
    ({"min_gain": np.array(np.nan)}, ValueError, "min_gain must be between 0 and 1, got nan"),
    ({"min_gain": np.array(True)}, TypeError, "min_gain must be of integers or real floats, got dtype bool"),
    (
        {"sample_weights": np.ones(2)},
        ValueError,
        r"sample_weights must have shape \[samples\], here \(1,\), got \(2,\)",
    ),
    ({"weight": -WEIGHT}, ValueError, "weight has .* negative"),
    ({"max_replicas": 1}, ValueError, "max_replicas must be"),
]


@pytest.mark.parametrize(("changed", "error", "message"), REFUSED)
def test_what_is_refused(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    given = {"weight": WEIGHT, "previous": PREVIOUS, **changed}
    weight, sizes = given.pop("weight"), given.pop("sizes", SIZES)
    before = [x.tobytes() for x in given.values() if isinstance(x, np.ndarray)]
    with pytest.raises(error, match=message):
        planned(weight, *sizes, **given)
    assert [x.tobytes() for x in given.values() if isinstance(x, np.ndarray)] == before


def test_nothing_is_planned_before_all_is_known_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise AssertionError("work was done")

    monkeypatch.setattr("eplb_xp.backends.numpy.NumPy.run", run)
    with pytest.raises(AssertionError, match="work was done"):
        planned(WEIGHT, *SIZES, previous=PREVIOUS)
    for changed, error, message in REFUSED:
        given = {"weight": WEIGHT, "previous": PREVIOUS, "sizes": SIZES, **changed}
        with pytest.raises(error, match=message):
            planned(given.pop("weight"), *given.pop("sizes"), **given)


def followed(previous: Any, weight: Any, **options: Any) -> Any:
    return rebalance_experts(weight, *SIZES, previous=previous, max_moves=1, **options)


READABLE = [library for library in LIBRARIES if library.reads_values and library.name != "torch-cuda"]


@over(READABLE)
@pytest.mark.parametrize("previous", [OUTSIDE, BELOW, PREVIOUS[:1], PREVIOUS.astype(np.float32)])
def test_arrays_stay_what_they_are_where_they_are_refused(library: Library, previous: NumPyArray) -> None:
    previous = previous if previous.dtype == np.float32 else previous.astype(np.int32)
    with pytest.raises((TypeError, ValueError), match="previous"):
        library.run(followed, previous, WEIGHT)


ALONE = [library for library in READABLE if library.array is not np.ndarray]


@over(ALONE)
def test_arrays_must_be_of_one_library(library: Library) -> None:
    its_weight, its_previous = library.asarray(WEIGHT), library.asarray(PREVIOUS.astype(np.int32))
    mixed: list[tuple[Any, dict[str, Any], str]] = [
        (WEIGHT, {"previous": its_previous}, "previous"),
        (its_weight, {"previous": PREVIOUS}, "previous"),
        (WEIGHT, {"previous": PREVIOUS, "max_moves": library.asarray(np.array([1, 1], np.int32))}, "max_moves"),
        (its_weight, {"previous": its_previous, "max_moves": np.array([1, 1])}, "max_moves"),
        (its_weight, {"previous": its_previous, "min_gain": np.array(0.1)}, "min_gain"),
    ]
    for weight, given, name in mixed:
        with pytest.raises(TypeError, match=f"all arrays must be of the same library, got {name} of"):
            planned(weight, *SIZES, **given)
    assert library.run(followed, PREVIOUS.astype(np.int32), WEIGHT).phy2log.shape == (2, 6)


def test_plans_and_any_tuple_that_begins_with_slots() -> None:
    made = rebalance_experts(WEIGHT, *SIZES, previous=PREVIOUS, max_moves=2)
    for previous in (Plan(PREVIOUS, PREVIOUS, PREVIOUS), (PREVIOUS,), (PREVIOUS, "no array")):
        assert_same(planned(WEIGHT, *SIZES, previous=previous, max_moves=2), made)


KINDS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@over(library for library in LIBRARIES if library.name != "torch-cuda")
def test_slots_of_any_integers(library: Library) -> None:
    kinds = [kind for kind in KINDS if "jax" not in library.name or "64" not in kind]  # JAX has none of 64 bits
    # Programs are compiled anew for each.
    kinds = ["uint8"] if library.name in ("jax-jit", "jax-vmap") else kinds
    options: dict[str, Any] = {"sizes": SIZES, "cap": NO_CAP, "policy": "greedy"}
    for kind in kinds:
        # Of those that have no sign none is empty.
        previous = np.abs(PREVIOUS) if kind.startswith("u") else PREVIOUS
        found = library.run(renewed, previous.astype(kind), WEIGHT[:, None], **options)
        assert_same(found, NUMPY.run(renewed, previous, WEIGHT[:, None], **options))


def test_moves_of_any_integers() -> None:
    made = rebalance_experts(WEIGHT, *SIZES, previous=PREVIOUS, max_moves=1)
    for kind in KINDS:
        same = rebalance_experts(WEIGHT, *SIZES, previous=PREVIOUS, max_moves=np.ones(2, kind))
        assert_same(same, made)


def test_slots_of_four_bits() -> None:
    import ml_dtypes  # noqa: PLC0415 # NumPy alone runs without it

    made = rebalance_experts(WEIGHT, *SIZES, previous=PREVIOUS, max_moves=1)
    assert_same(rebalance_experts(WEIGHT, *SIZES, previous=PREVIOUS.astype(ml_dtypes.int4), max_moves=1), made)


def test_loads_of_any_numbers() -> None:
    made = rebalance_experts(WEIGHT, *SIZES, previous=PREVIOUS, max_moves=1)
    for kind in ("int8", "uint64", "float16", "float64"):
        assert_same(rebalance_experts(WEIGHT.astype(kind), *SIZES, previous=PREVIOUS, max_moves=1), made)


def test_groups_that_do_not_divide_over_nodes_are_no_groups() -> None:
    made = rebalance_experts(WEIGHT, *SIZES, previous=SPLIT, max_moves=2)
    assert_same(rebalance_experts(WEIGHT, 6, 1, 3, 3, previous=SPLIT, max_moves=2), made)
