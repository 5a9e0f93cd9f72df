"""What native code does not share, says why of, or shares as the once-written code does."""

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Prepared
from eplb_xp.algorithms.sharing import shares as once_written
from eplb_xp.backends.launching import from_numpy, shares_from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from tests.support.libraries import NumPyArray
from tests.support.loads import thorough
from tests.support.native import needs_native
from tests.support.shares import batches
from tests.support.shares_by_native import (
    NOT_PREPARED,
    assert_same,
    prepared_of,
    slots_of_all_kinds,
    within,
)

pytestmark = needs_native


def changed(prepared: Prepared[NumPyArray], name: str, places: list[int], values: list[int]) -> Prepared[NumPyArray]:
    """What is prepared, some numbers of one array of which are others."""
    array = getattr(prepared, name).copy()
    for place, value in zip(places, values, strict=False):
        array.flat[place % array.size] = value
    return prepared._replace(**{name: array})


@thorough
@given(
    data=st.data(),
    name=st.sampled_from(Prepared._fields),
    places=st.lists(st.integers(0, 1000), min_size=1, max_size=3),
    values=st.lists(st.sampled_from([-1, 0, 1, 2, 3, 5, 12, 2**31, 2**32, 2**40, -(2**63)]), min_size=3, max_size=3),
)
def test_what_is_prepared_for_no_plan_is_refused_or_makes_no_difference(
    data: st.DataObject, name: str, places: list[int], values: list[int]
) -> None:
    batch = data.draw(batches([(6, 12, 4), (6, 8, 4), (3, 9, 3)], layers=1))
    prepared = changed(prepared_of(batch.phy2log, batch.tokens.shape[1], batch.gpus), name, places, values)
    arrays, its = (*prepared, within(0.0, batch.tokens), batch.tokens), {"num_gpus": batch.gpus, "rounds": 5}
    found = shares_from_numpy.share(LIBRARY, *arrays, **its)
    if isinstance(found, Refusal):
        assert found.reason == NOT_PREPARED
    else:
        assert_same(found, LIBRARY.call(once_written.share, *arrays, **its))


@pytest.mark.parametrize("tolerance", [-0.5, 1.5, np.inf, np.nan])
def test_other_tolerances_are_refused(tolerance: float) -> None:
    phy2log, weight = np.array([[0, 1, 2, 0]]), np.array([[5, 3, 1]])
    arrays = phy2log, within(tolerance, weight), weight
    assert shares_from_numpy.share_of_plan(LIBRARY, *arrays, num_gpus=2, rounds=5) == Refusal(NOT_PREPARED)


@thorough
@given(slots=slots_of_all_kinds(), seed=st.integers(0, 2**32 - 1))
def test_plans_that_miss_experts_are_refused_or_make_no_difference(
    slots: tuple[NumPyArray, int, int], seed: int
) -> None:
    """Refused are those whose experts of several have more replicas than those of a plan may have."""
    phy2log, experts, gpus = slots
    weight = np.random.default_rng(seed).integers(0, 100, (len(phy2log), experts))
    prepared, near, its = prepared_of(phy2log, experts, gpus), within(0.0, weight), {"num_gpus": gpus, "rounds": 5}
    of_several = np.where(prepared.holders > 1, prepared.holders, 0).sum(axis=1)
    for step, arrays in (("share_of_plan", (phy2log,)), ("share", prepared)):
        found = getattr(shares_from_numpy, step)(LIBRARY, *arrays, near, weight, **its)
        if (of_several > prepared.place.shape[1]).any():
            assert found == Refusal(NOT_PREPARED)
        else:
            assert_same(found, LIBRARY.call(getattr(once_written, step), *arrays, near, weight, **its))


def test_plans_that_miss_too_many_experts_are_refused() -> None:
    phy2log, weight = np.array([[0, 1, 1, 0]]), np.array([[5, 3, 1]])
    arrays = phy2log, within(0.0, weight), weight
    assert shares_from_numpy.share_of_plan(LIBRARY, *arrays, num_gpus=2, rounds=5) == Refusal(NOT_PREPARED)


@pytest.mark.parametrize(
    ("experts", "slots", "gpus", "reason"),
    [
        (8, 2**20 + 4, 4, "1048576 replicas, got 1048580"),
        (2**10, 2**15, 2**12, "16777216 pairs of replicas that may meet, got 67092481"),
        (2**15, 2**15, 4, "67108864 pairs of slots of a GPU, got 268435456"),
    ],
)
def test_what_is_too_large_is_refused(experts: int, slots: int, gpus: int, reason: str) -> None:
    weight, phy2log = np.zeros((0, experts), np.int64), np.zeros((0, slots), np.int64)
    refusal = Refusal(f"native code shares among at most {reason}")
    arrays = phy2log, within(0.0, weight), weight
    assert shares_from_numpy.share_of_plan(LIBRARY, *arrays, num_gpus=gpus, rounds=5) == refusal
    assert shares_from_numpy.prepare(LIBRARY, phy2log, num_experts=experts, num_gpus=gpus) == refusal


def test_without_native_code_it_is_refused() -> None:
    refusal = Refusal("there is none")
    phy2log, weight = np.zeros((0, 12), np.int64), np.zeros((0, 8), np.int64)
    with mock.patch.object(shares_from_numpy, "extension", return_value=refusal):
        arrays = phy2log, within(0.0, weight), weight
        assert shares_from_numpy.share_of_plan(LIBRARY, *arrays, num_gpus=4, rounds=17) == refusal
    shares_from_numpy.shape_of.cache_clear()


CALLS = {"share": 10, "share_of_plan": 4, "prepare_shares": 2}  # what is read


@pytest.mark.parametrize("call", CALLS)
def test_arrays_that_do_not_fit_the_shape_are_refused(call: str) -> None:
    """The extension looks at all sizes itself."""
    experts, slots, gpus = 8, 12, 4
    phy2log = np.tile(np.arange(slots) % experts, (2, 1))
    integers = np.array([experts, slots, gpus, 5, 1, 8], np.int32)
    prepared = [x.copy() for x in prepared_of(phy2log, experts, gpus)]
    near, weight = np.zeros(2, np.float32), np.ones((2, 8), np.int64)
    found = [np.zeros(2 * n, dtype) for n, dtype in ((12, "i8"), (4, "i8"), (1, "i8"), (1, "f4"), (4, "?"), (1, "f4"))]
    found.append(np.zeros(2, np.int64))
    given_for: dict[str, list[Any]] = {
        "share": [*prepared, near, weight, integers, *found],
        "share_of_plan": [phy2log, near, weight, integers, *found],
        "prepare_shares": [phy2log, integers, *prepared],
    }
    right = given_for[call]
    function = getattr(from_numpy.extension(), call)
    assert function(*right, 4, 1) is None
    for place, array in enumerate(right):
        wrong = [*right[:place], array.reshape(-1)[:-1].copy(), *right[place + 1 :]]
        with pytest.raises(ValueError, match="shape"):
            function(*wrong, 4, 1)
    at = CALLS[call] - 1
    for place, value in [(0, 0), (0, -1), (0, 13), (1, 0), (1, 2**30), (2, 0), (2, -4), (2, 5), (3, -1), (3, 2**30)]:
        wrong_integers = integers.copy()
        wrong_integers[place] = value
        with pytest.raises(ValueError, match="shape"):
            function(*right[:at], wrong_integers, *right[at + 1 :], 4, 1)
    for index_bytes in (0, 2, 16):
        with pytest.raises(ValueError, match="shape"):
            function(*right[:at], np.array([*integers[:-1], index_bytes], np.int32), *right[at + 1 :], 4, 1)
    for lanes, threads in ((16, 1), (4, 0), (2**40, 1), (4, -(2**40))):
        with pytest.raises(ValueError, match="shape"):
            function(*right, lanes, threads)
    with pytest.raises(TypeError, match=f"expected {len(right) + 2} arguments, got {len(right)}"):
        function(*right)
    with pytest.raises(TypeError):
        function(*right, 4, "1")
