"""evaluate: the report of a naive count, a bound that no plan is below, and plans that are none."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Report, evaluate, rebalance_experts
from eplb_xp.algorithms import evaluation
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.sizes import Sizes
from tests.support.libraries import LIBRARIES, Library, NumPyArray, every_library
from tests.support.loads import LARGEST, SMALLEST_LOAD, counts, weights
from tests.support.references import plan as reference

# layers, experts, then replicas, groups, nodes, GPUs
HIERARCHICAL, GLOBAL = (12, 4, 2, 4), (12, 1, 1, 4)
SHAPES = [
    ((3, 8), HIERARCHICAL),
    ((3, 8), GLOBAL),
    ((2, 6), (24, 2, 3, 6)),  # global, because 2 groups don't divide over 3 nodes
    ((2, 8), (8, 8, 2, 8)),  # no spares, one slot a GPU
    ((3, 8), (9, 1, 1, 3)),  # one spare, so that the bound is seldom the mean
    ((0, 4), (6, 2, 2, 2)),  # no layers
]


def any_plan(rng: np.random.Generator, experts: int, sizes: tuple[int, ...]) -> NumPyArray:
    """A valid plan of one layer, otherwise at random: the expert in each slot."""
    replicas, groups, nodes, _ = sizes
    if groups % nodes:
        groups = nodes = 1
    by_node = rng.permutation(groups).reshape(nodes, -1)
    slots = []
    for home in by_node:
        here = (home[:, None] * (experts // groups) + np.arange(experts // groups)).ravel()
        more = rng.choice(here, replicas // nodes - len(here))
        slots.append(rng.permutation(np.concatenate([here, more])))
    return np.concatenate(slots)


def any_plans(shape: tuple[int, int], sizes: tuple[int, ...]) -> st.SearchStrategy[NumPyArray]:
    def plans(seed: int) -> NumPyArray:
        rng = np.random.default_rng(seed)
        drawn = [any_plan(rng, shape[1], sizes) for _ in range(shape[0])]
        return np.reshape(np.array(drawn, np.int64), (shape[0], sizes[0]))

    return st.builds(plans, st.integers(0, 2**32 - 1))


def report(library: Library, phy2log: NumPyArray, weight: NumPyArray, sizes: tuple[int, ...]) -> Report[NumPyArray]:
    _, groups, nodes, gpus = sizes
    plan = (phy2log, phy2log, phy2log)  # only the first is read
    result = library.run(evaluate, plan, weight, num_gpus=gpus, num_groups=groups, num_nodes=nodes)
    assert isinstance(result, Report)
    return result


def assert_close(got: NumPyArray, want: NumPyArray, tolerance: float) -> None:
    """Equal up to the tolerance; beyond float32 all is alike, and XLA takes what is below it for zero."""
    assert got.dtype == np.float32
    assert got.shape == want.shape
    np.testing.assert_allclose(np.minimum(got, LARGEST), np.minimum(want, LARGEST), tolerance, SMALLEST_LOAD)


@every_library
@given(data=st.data())
def test_a_report_is_that_of_a_naive_count(library: Library, data: st.DataObject) -> None:
    shape, sizes = data.draw(st.sampled_from(SHAPES))
    weight, phy2log = data.draw(weights(shape)), data.draw(any_plans(shape, sizes))
    got = report(library, phy2log, weight, sizes)
    want = reference.report(phy2log, weight, sizes[3], *sizes[1:3])
    assert_close(got.gpu_load, want.gpu_load, 1e-6)
    assert_close(got.balancedness, want.balancedness, 1e-6)
    assert_close(got.lower_bound, want.lower_bound, 3e-6)  # rounded down
    assert_close(got.gap + 1, want.gap + 1, 3e-6)
    np.testing.assert_array_equal(got.doubled, want.doubled, strict=True)


@every_library
@given(data=st.data())
def test_no_plan_is_below_the_bound(library: Library, data: st.DataObject) -> None:
    shape, sizes = data.draw(st.sampled_from(SHAPES[:-1]))
    weight = data.draw(st.one_of(weights(shape), counts(shape)))
    best = rebalance_experts(weight, *sizes).phy2log
    for phy2log in (best, data.draw(any_plans(shape, sizes))):
        got = report(library, phy2log, weight, sizes)
        assert (got.lower_bound <= got.gpu_load.max(axis=1)).all()
        assert (got.gap >= 0).all()
        assert (got.balancedness > 0).all()
        assert (got.balancedness <= 1).all()


@every_library
def test_equal_loads_leave_no_gap(library: Library) -> None:
    # The mean is what every GPU has, so an error in its sum or its division would put the bound above the plan.
    load = np.concatenate([[1.2e-38, 1, 3e38], np.random.default_rng(0).random(61)]).astype(np.float32)
    weight = np.repeat(load[:, None], 10, axis=1)
    got = report(library, np.tile(np.arange(10), (64, 1)), weight, (10, 1, 1, 5))
    assert (got.lower_bound <= got.gpu_load[:, 0]).all()
    assert (got.gap >= 0).all()
    assert (got.gap < 2e-6).all()
    assert (got.balancedness <= 1).all()
    assert_close(got.balancedness, np.ones(64), 1e-6)


# A valid plan for the sizes of both, whose programs are there: slots of four GPUs, two a node.
SLOTS = [0, 1, 2, 3, 0, 1, 4, 5, 6, 7, 4, 5]


@every_library
@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_a_plan_may_be_of_any_integers(library: Library, dtype: str) -> None:
    weight = np.array([[8, 6, 5, 3, 4, 2, 1, 7], [7, 1, 2, 4, 3, 5, 6, 8], [1, 1, 1, 1, 1, 1, 1, 1]], np.float32)
    phy2log = np.array([SLOTS, SLOTS, SLOTS[::-1]], dtype)
    got = report(library, phy2log, weight, GLOBAL)
    np.testing.assert_array_equal(got.gpu_load, [[12, 10, 4, 10], [6, 8, 10, 12], [2, 2, 2, 2]])


def test_only_the_first_array_of_a_plan_is_read() -> None:
    weight = np.array([[9, 4, 3]])
    plan: Any = (np.array([[0, 1, 0, 2]]), None, None)
    np.testing.assert_array_equal(evaluate(plan, weight, 2).gpu_load, [[8.5, 7.5]])


WEIGHT = np.array([[9, 4, 3, 2], [1, 6, 5, 7]], np.float32)
LOADS = np.arange(1, 25, dtype=np.float32).reshape(3, 8)
# The slots of a layer that is wrong, its number, the sizes, and what is said.
BAD_PLANS = {
    "missing": ([0, 1, 2, 2, 0, 1, 4, 5, 6, 7, 4, 5], 1, GLOBAL, "misses 1 expert.*expert 3 of layer 1"),
    "above": ([0, 1, 2, 3, 0, 8, 4, 5, 6, 7, 4, 5], 0, GLOBAL, r"8 at \[0, 5\], experts are 0 to 7"),
    "negative": ([0, 1, 2, 3, -1, 1, 4, 5, 6, 7, 4, 5], 1, GLOBAL, r"-1 at \[1, 4\], experts are 0 to 7"),
    "group split": ([0, 1, 2, 3, 0, 1, 4, 5, 6, 7, 4, 0], 1, HIERARCHICAL, "group 0 of layer 1 is on 2 nodes"),
    "uneven groups": (
        [0, 1, 2, 3, 4, 5, 6, 7, 6, 7, 6, 7],
        0,
        HIERARCHICAL,
        "3 groups on node 0 of layer 0.* 2 a node",
    ),
}


@every_library
@pytest.mark.parametrize("bad", BAD_PLANS)
def test_a_plan_that_is_none(library: Library, bad: str) -> None:
    slots, layer, sizes, message = BAD_PLANS[bad]
    phy2log = np.array([slots if number == layer else SLOTS for number in range(3)])
    if library.reads_values:
        with pytest.raises(ValueError, match=message):
            report(library, phy2log, LOADS, sizes)
    else:  # not read, but no crash either
        assert report(library, phy2log, LOADS, sizes).gpu_load.shape == (3, 4)


def test_in_a_plan_that_is_not_read_the_nearest_expert_stands_in_for_one_that_is_not_there() -> None:
    sizes = Sizes(6, 1, 1, 2)
    bad, good = np.array([[0, -2, 1, 2, 3, 9]] * 2), np.array([[0, 0, 1, 2, 3, 3]] * 2)
    got, want = (LIBRARY.call(evaluation.report, phy2log, WEIGHT, sizes=sizes) for phy2log in (bad, good))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


@every_library
@pytest.mark.parametrize(
    ("plan", "error", "message"),
    [
        (np.zeros((2, 6)), TypeError, "phy2log must be of integers, got dtype .*float64"),
        (np.zeros((2, 6), bool), TypeError, "phy2log must be of integers, got dtype .*bool"),
        (np.zeros((3, 6), int), ValueError, r"2 layers, got \(3, 6\)"),
        (np.zeros((2, 3, 2), int), ValueError, r"\[layers, replicas\].*got \(2, 3, 2\)"),
        (
            np.zeros((2, 7), int),
            ValueError,
            "num_gpus must divide the slots of the plan: 2 does not divide 7; nearest that work: num_gpus=1 or 7",
        ),
        (
            np.zeros((2, 2), int),
            ValueError,
            "the slots of the plan must be at least the number of experts .* 2 for 4 experts",
        ),
    ],
    ids=["floats", "bools", "layers", "rank", "uneven", "few"],
)
def test_an_array_that_is_no_plan(library: Library, plan: NumPyArray, error: type[Exception], message: str) -> None:
    if plan.dtype == np.float64 and "float64" not in library.dtypes:
        message = message.replace("float64", "float32")
    with pytest.raises(error, match=message):
        report(library, plan, WEIGHT, (6, 1, 1, 2))


def test_plan_and_loads_must_be_of_one_library() -> None:
    phy2log = np.array([[0, 1, 2, 3, 0, 1]] * 2)
    libraries = [library for library in LIBRARIES if library.reads_values]
    for one in libraries:
        for other in libraries:
            if one.array is not other.array:
                with pytest.raises(TypeError, match=r"same library, got .* and "):
                    evaluate((one.asarray(phy2log),) * 3, other.asarray(WEIGHT), 2)
