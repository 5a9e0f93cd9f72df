"""Shares by native code are those of the once-written code, bit for bit, in lanes of every width."""

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Prepared, Shares, rebalance_experts
from eplb_xp.algorithms.sharing import prepared as preparing
from eplb_xp.algorithms.sharing import shares as once_written
from eplb_xp.backends.launching import from_numpy, shares_from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from tests.support.libraries import NumPyArray
from tests.support.loads import thorough, weights
from tests.support.native import LANES, needs_native
from tests.support.shares import Batch, batches, drawn_plans, random_plan, shapes_of_all_proportions
from tests.support.threads import at_once

pytestmark = needs_native

NOT_PREPARED = "native code shares by plans of all experts, what prepare_shares made of one, and tolerances from 0 to 1"
tolerances = st.sampled_from([0.0, 2.0**-10, 0.01, 0.3, 1.0])


def poisoned(shape: tuple[int, ...], dtype: Any) -> NumPyArray:
    """An output that held something else."""
    return np.full(shape, 77, dtype)


def native(call: Any, *arrays: Any, lanes: int = LANES[-1], **settings: Any) -> Any:
    """What native code says, which is not refused."""
    with mock.patch.object(np, "empty", poisoned):
        found = call(LIBRARY, *arrays, **settings, lanes=lanes)
    assert not isinstance(found, Refusal), found.reason
    return found


def assert_same(found: Any, want: Any) -> None:
    assert type(found) is type(want)
    for name, ours, theirs in zip(found._fields, found, want, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=name, strict=True)


def prepared_of(phy2log: NumPyArray, experts: int, gpus: int) -> Prepared[NumPyArray]:
    made: Prepared[NumPyArray] = LIBRARY.call(preparing.prepare, phy2log, num_experts=experts, num_gpus=gpus)
    return made


def within(tolerance: float, weight: NumPyArray) -> NumPyArray:
    return np.full((len(weight), 1), tolerance, np.float32)


def assert_both_same(batch: Batch, weight: Any, rounds: int = 64, tolerance: float = 2.0**-10) -> None:
    """Prepared or not, and in all lanes, the shares are those of the once-written code, which takes longest."""
    its, near = {"num_gpus": batch.gpus, "rounds": rounds}, within(tolerance, weight)
    want: Shares[NumPyArray] = LIBRARY.call(once_written.share_of_plan, batch.phy2log, near, weight, **its)
    prepared = prepared_of(batch.phy2log, weight.shape[1], batch.gpus)
    for lanes in LANES:
        assert_same(native(shares_from_numpy.share_of_plan, batch.phy2log, near, weight, **its, lanes=lanes), want)
        assert_same(native(shares_from_numpy.share, *prepared, near, weight, **its, lanes=lanes), want)


@st.composite
def slots_of_all_kinds(draw: st.DrawFn) -> tuple[NumPyArray, int, int]:
    """Plans, or slots that miss experts and name others, which nobody reads before where values are not read."""
    experts, replicas, gpus = draw(shapes_of_all_proportions())
    seed = draw(st.integers(0, 2**32 - 1))
    if draw(st.booleans()):
        return drawn_plans(seed, 3, (experts, replicas, gpus)), experts, gpus
    rng = np.random.default_rng(seed)
    return rng.integers(-1, experts + 2, (3, replicas)) * rng.choice([1, 1, 2**40], (3, 1)), experts, gpus


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
