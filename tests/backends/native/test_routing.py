"""Quotas and slots of tokens by native code are those of the once-written code, bit for bit, in lanes of all widths."""

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.routing import quotas as dividing
from eplb_xp.algorithms.routing import route as routing
from eplb_xp.backends.launching import from_numpy, routes_from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from tests.support.libraries import NumPyArray
from tests.support.loads import thorough
from tests.support.native import LANES, needs_native, poisoned
from tests.support.routing import any_counts, any_tokens, plan_of
from tests.support.shares import drawn_plans, shapes_of_all_proportions
from tests.support.threads import at_once

pytestmark = needs_native

TOO_MANY = Refusal("native code divides counts and shares below 2^40")
NO_QUOTAS = Refusal("native code routes by quotas that ascend")
dtypes = st.sampled_from([np.int64, np.int64, np.int32])


def native(call: Any, *arrays: Any, lanes: int = LANES[-1], **settings: Any) -> Any:
    """What native code says, from an output that held something else."""
    with poisoned():
        return call(LIBRARY, *arrays, **settings, lanes=lanes)


def assert_same(found: Any, want: Any) -> None:
    assert not isinstance(found, Refusal), found.reason
    (ours,), (theirs,) = found, want
    np.testing.assert_array_equal(ours, theirs, strict=True)


def assert_divided(arrays: tuple[NumPyArray, ...], rank: NumPyArray, nodes: int) -> None:
    """Among all ranks, and for one."""
    for step, its in ((dividing.quotas, arrays), (dividing.quotas_of_rank, (rank, *arrays))):
        assert_in_all_lanes(step, its, num_nodes=nodes)


def assert_in_all_lanes(step: Any, arrays: tuple[Any, ...], **settings: Any) -> None:
    """What native code finds is what the once-written code does, which takes longest."""
    expected = LIBRARY.call(step, *arrays, **settings)
    for lanes in LANES:
        assert_same(native(getattr(routes_from_numpy, step.__name__), *arrays, **settings, lanes=lanes), expected)


@st.composite
def maps(draw: st.DrawFn, layers: int = 3) -> tuple[Any, Any, Any, int]:
    """The maps of a plan, or any, which nobody looks at before where values are not read; and GPUs."""
    experts, replicas, gpus = draw(shapes_of_all_proportions())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    plan = plan_of(drawn_plans(int(rng.integers(2**32)), layers, (experts, replicas, gpus)), experts, rng)
    if draw(st.booleans()):
        return plan.phy2log, plan.log2phy, plan.logcnt, gpus
    width = plan.log2phy.shape[2]
    phy2log = rng.integers(-1, experts + 2, plan.phy2log.shape)
    log2phy = rng.integers(-2, replicas + 2, plan.log2phy.shape)
    return phy2log, log2phy, rng.integers(-1, width + 3, plan.logcnt.shape), gpus


@thorough
@given(plan=maps(), seed=st.integers(0, 2**32 - 1), most=st.sampled_from([1, 30, 10**9]), dtype=dtypes)
def test_quotas_are_those_of_the_once_written_code(plan: Any, seed: int, most: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    arrays, nodes = any_counts(rng, plan, most)
    rank = rng.integers(-1, plan[-1] + 1, (3, 1))
    assert_divided(tuple(x.astype(dtype) for x in arrays), rank, nodes)


@thorough
@given(plan=maps(), seed=st.integers(0, 2**32 - 1), most=st.sampled_from([1, 4, 12, 2**31 - 1]), dtype=dtypes)
def test_slots_are_those_of_the_once_written_code(plan: Any, seed: int, most: int, dtype: Any) -> None:
    quota, *arrays = (x.astype(dtype) for x in any_tokens(np.random.default_rng(seed), plan, most))
    assert_in_all_lanes(routing.route_in_turn, tuple(arrays))
    assert_in_all_lanes(routing.route_by_quota, (quota, *arrays))


def test_arrays_of_one_layer_and_of_several_dimensions_in_front() -> None:
    rng = np.random.default_rng(0)
    plan = plan_of(drawn_plans(0, 6, (6, 12, 4)), 6, rng)
    tokens = rng.integers(-1, 6, (6, 7, 2))
    for front in ((2, 3), (6,), (1, 6, 1)):
        arrays = tuple(x.reshape(*front, *x.shape[1:]) for x in (plan.log2phy, plan.logcnt, plan.logcnt[:, :0], tokens))
        found = native(routes_from_numpy.route_in_turn, *arrays)
        assert_same(found, LIBRARY.call(routing.route_in_turn, *arrays))
    arrays = plan.log2phy[0], plan.logcnt[0], plan.logcnt[0, :0], tokens[0]
    found = native(routes_from_numpy.route_in_turn, *arrays)
    assert_same(found, LIBRARY.call(routing.route_in_turn, *arrays))


def test_arrays_that_do_not_lie_in_a_row() -> None:
    rng = np.random.default_rng(0)
    plan = plan_of(drawn_plans(0, 6, (6, 12, 4)), 6, rng)
    counts, share = rng.integers(0, 9, (6, 6, 4)).transpose(0, 2, 1), rng.integers(0, 9, (12, 6)).T
    assert_divided((share, *plan, counts), np.full((6, 1), 2), 2)
    assert_divided(tuple(x[::-2] for x in (share, *plan, counts)), np.full((6, 1), 2)[::-2], 4)


@pytest.mark.parametrize("number", [2**40, 2**62])
def test_what_could_be_too_many_tokens_to_add_up_is_refused(number: int) -> None:
    rng = np.random.default_rng(0)
    plan = plan_of(drawn_plans(0, 2, (6, 12, 4)), 6, rng)
    few, some = np.zeros((2, 4, 6), np.int64), np.zeros((2, 12), np.int64)
    for many in (few, some):
        many.flat[-1] = number
        assert native(routes_from_numpy.quotas, some, *plan, few, num_nodes=2) == TOO_MANY
        many.flat[-1] = number >> 23
        assert_divided((some, *plan, few), np.zeros((2, 1), np.int64), 2)


def test_quotas_that_do_not_ascend_are_refused() -> None:
    arrays = np.array([[0, 1, 2]]), np.array([3]), np.array([], np.int64), np.array([[0], [0]])
    assert native(routes_from_numpy.route_by_quota, np.array([[2, 1, 3]]), *arrays) == NO_QUOTAS
    # The last replica takes what is left, whatever is behind.
    quota = np.array([[1, 2, 0]])
    found = native(routes_from_numpy.route_by_quota, quota, *arrays)
    assert_same(found, LIBRARY.call(routing.route_by_quota, quota, *arrays))


def test_threads_divide_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many callers as like, too."""
    rng = np.random.default_rng(0)
    plan = plan_of(drawn_plans(0, 7, (6, 12, 4)), 6, rng)
    arrays = rng.integers(0, 9, (7, 12)), *plan, rng.integers(0, 9, (7, 4, 6))
    tokens = *plan[1:], plan.logcnt[:, :0], rng.integers(-1, 6, (7, 20, 2))
    for threads in ("2", "9"):
        monkeypatch.setenv(from_numpy.THREADS, threads)
        assert_divided(arrays, np.ones((7, 1), np.int64), 2)
        assert_divided(tuple(x[:0] for x in arrays), np.ones((0, 1), np.int64), 2)
        found = native(routes_from_numpy.route_in_turn, *tokens)
        assert_same(found, LIBRARY.call(routing.route_in_turn, *tokens))
    want = LIBRARY.call(dividing.quotas, *arrays, num_nodes=2)
    for found in at_once(lambda _: routes_from_numpy.quotas(LIBRARY, *arrays, num_nodes=2), 6):
        assert_same(found, want)


def test_what_is_too_large_or_nothing_is_refused() -> None:
    def nothing(*shape: int) -> NumPyArray:
        return np.zeros((0, *shape), np.int64)

    for slots, ranks, reason in ((2**20 + 1, 1, "1048576 replicas, got 1048577"), (2**20, 32, "got 33554432")):
        arrays = nothing(slots), nothing(slots), nothing(8, 2), nothing(8), nothing(ranks, 8)
        found = routes_from_numpy.quotas(LIBRARY, *arrays, num_nodes=1)
        assert isinstance(found, Refusal)
        assert reason in found.reason
    found = routes_from_numpy.route_in_turn(LIBRARY, nothing(8, 2), nothing(8), nothing(0), nothing(0, 2))
    assert found == Refusal("native code routes with 1 to 2147483647 tokens, got 0")


def test_without_native_code_it_is_refused() -> None:
    refusal = Refusal("there is none")
    with mock.patch.object(routes_from_numpy, "extension", return_value=refusal):
        assert routes_from_numpy.route_in_turn(LIBRARY) == refusal
        assert routes_from_numpy.quotas(LIBRARY, num_nodes=1) == refusal


def zeros(*sizes: int) -> list[NumPyArray]:
    return [np.zeros(size, np.int64) for size in sizes]


# What is given for two layers, which of it is the shape, and numbers of that which are none of a shape, or of another.
QUOTA_SHAPE, ROUTE_SHAPE = [6, 12, 4, 2, 7, 1, 8], [6, 7, 10, 1, 1, 8]
CALLS: dict[str, tuple[list[int], list[int], list[tuple[int, int]]]] = {
    "quotas": (
        [24, 24, 84, 12, 48, 2, -1, 84],
        QUOTA_SHAPE,
        [(0, 0), (0, -6), (1, 10), (1, 2**30), (2, 0), (2, 8), (3, 0), (3, 3), (4, -1), (4, 8), (5, 0), (6, 2)],
    ),
    "route": (
        [84, 84, 12, 12, 20, -1, 20],
        ROUTE_SHAPE,
        [(0, 0), (0, -6), (0, 2**30), (1, 0), (1, 8), (2, -1), (2, 11), (3, 0), (4, 0), (5, 2)],
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_arrays_that_do_not_fit_the_shape_are_refused(call: str) -> None:
    """The extension looks at all sizes itself."""
    sizes, shape, others = CALLS[call]
    at = sizes.index(-1)
    right: list[Any] = [*zeros(*sizes[:at]), np.array(shape, np.int32), *zeros(*sizes[at + 1 :])]
    function = getattr(from_numpy.extension(), call)
    assert function(*right, 4, 1) is None
    for place, array in enumerate(right):
        wrong = [*right[:place], array[:-1].copy(), *right[place + 1 :]]
        with pytest.raises(ValueError, match="shape"):
            function(*wrong, 4, 1)
    for place, value in others:
        integers = np.array(shape, np.int32)
        integers[place] = value
        with pytest.raises(ValueError, match="shape"):
            function(*right[:at], integers, *right[at + 1 :], 4, 1)
    for lanes, threads in ((16, 1), (4, 0)):
        with pytest.raises(ValueError, match="shape"):
            function(*right, lanes, threads)
