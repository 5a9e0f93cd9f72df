"""share_tokens and prepare_shares: what is refused and why, dtypes, preparing, and tolerance."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given

from eplb_xp import Prepared, Shares, evaluate, prepare_shares, share_tokens
from tests.support.libraries import LIBRARIES, NUMPY, Library, over
from tests.support.references import sharing as reference
from tests.support.shares import Batch, assert_consistent, assert_equal, batches, shares

WEIGHT = np.array([[20, 20, 40, 60, 75, 25, 0, 9], [7, 7, 7, 900, 7, 0, 7, 7]], np.int32)
PHY2LOG = np.array([[0, 1, 2, 3, 4, 5, 6, 7, 3, 4, 4, 2], [3, 1, 2, 3, 4, 5, 3, 7, 0, 3, 6, 3]])
PLAN = (PHY2LOG, PHY2LOG, WEIGHT)  # the others are not read
PREPARED = prepare_shares(PLAN, 4)
call: Any = share_tokens  # with what type checkers refuse


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"rounds": -1}, ValueError, "rounds must be at least 0, got -1"),
        ({"rounds": 2**20 + 1}, ValueError, "rounds must be at most 1048576, got 1048577"),
        ({"rounds": 1.5}, TypeError, "rounds must be an integer, got 1.5"),
        ({"tolerance": -0.5}, ValueError, "tolerance must be between 0 and 1, got -0.5"),
        ({"tolerance": 2}, ValueError, "tolerance must be between 0 and 1, got 2"),
        ({"tolerance": np.float32(2)}, ValueError, r"tolerance must be between 0 and 1, got 2\.0"),
        ({"tolerance": float("nan")}, ValueError, "tolerance must be between 0 and 1, got nan"),
        ({"tolerance": "0.1"}, TypeError, "tolerance must be a number, got '0.1'"),
        ({"tolerance": True}, TypeError, "tolerance must be a number, got True"),
        ({"tolerance": np.ones(1)}, ValueError, r"an array of no dimensions, got shape \(1,\)"),
        ({"num_gpus": 5}, ValueError, "num_gpus must divide the slots of the plan: 5 does not divide 12; .*4 or 6"),
        ({"num_gpus": 0}, ValueError, "num_gpus must be at least 1, got 0"),
        ({"prepared": PLAN}, TypeError, "prepared must be what prepare_shares returns, got tuple"),
        (
            {"prepared": PREPARED._replace(colour=PREPARED.colour[:1])},
            ValueError,
            r"another plan: prepared.colour has shape \(1, 8\), of this plan it has \(2, 8\)",
        ),
        ({"prepared": prepare_shares(PLAN, 3)}, ValueError, "another number of GPUs: it has not what 4 GPUs"),
        ({"prepared": prepare_shares(PLAN, 12)}, ValueError, "another number of GPUs: .* in layer 0"),
        (
            {"prepared": prepare_shares((np.repeat(PHY2LOG[:1], 2, axis=0), PHY2LOG, WEIGHT), 4)},
            ValueError,
            "another plan .* in layer 1",
        ),
        ({"plan": (PHY2LOG[:1], None, None)}, ValueError, r"2 layers, got \(1, 12\)"),
        ({"plan": (PHY2LOG * 1.0, None, None)}, TypeError, "phy2log must be of integers, got dtype float64"),
        ({"plan": (PHY2LOG + 1, None, None)}, ValueError, r"8 at \[0, 7\], experts are 0 to 7"),
        ({"plan": (PHY2LOG * 0, None, None)}, ValueError, "the plan misses 14 experts, the first expert 1 of layer 0"),
        ({"weight": WEIGHT[0]}, ValueError, r"\[layers, experts\], got shape \(8,\)"),
        ({"weight": WEIGHT.astype(bool)}, TypeError, "weight must be of integers or real floats"),
        ({"weight": WEIGHT - 1}, ValueError, r"2 loads that are NaN, infinite or negative, the first -1 at \[0, 6\]"),
        ({"weight": WEIGHT + 2**27}, ValueError, r"2\^30 - 1 tokens, got 1073742766 in layer 1; divide the counts"),
    ],
)
def test_what_is_refused(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(**({"plan": PLAN, "weight": WEIGHT, "num_gpus": 4} | changed))


@pytest.mark.parametrize(
    ("plan", "gpus", "error", "message"),
    [
        (PLAN, 5, ValueError, "5 does not divide 12"),
        ((PHY2LOG + 1, PHY2LOG, WEIGHT), 4, ValueError, "names an expert that is not there: 8"),
        ((PHY2LOG * 1.0, PHY2LOG, WEIGHT), 4, TypeError, "phy2log must be of integers, got dtype float64"),
        ((PHY2LOG.tolist(), PHY2LOG, WEIGHT), 4, TypeError, "phy2log must be an array of NumPy"),
        ((PHY2LOG[:, :6], PHY2LOG, WEIGHT), 2, ValueError, "6 for 8 experts"),
    ],
)
def test_what_is_not_prepared(plan: Any, gpus: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        prepare_shares(plan, gpus)


def test_arrays_must_be_of_one_library() -> None:
    for library in LIBRARIES:
        if library.array is not np.ndarray and library.reads_values and library.name != "jax-vmap":
            other = library.asarray(WEIGHT)
            with pytest.raises(TypeError, match="same library"):
                call(PLAN, other, 4)
            plan: Any = tuple(map(library.asarray, PLAN))
            with pytest.raises(TypeError, match="same library"):
                call(plan, other, 4, prepared=PREPARED)
            with pytest.raises(TypeError, match="same library"):
                evaluate(plan, other, 4, shares=PHY2LOG)


@pytest.mark.parametrize(
    ("shared", "error", "message"),
    [
        (PHY2LOG[:, :6], ValueError, r"shares must have the shape of phy2log, \(2, 12\), got \(2, 6\)"),
        (PHY2LOG > 1, TypeError, "shares must be of integers or real floats, got dtype bool"),
        (PHY2LOG * 1j, TypeError, "shares must be of integers or real floats, got dtype complex128"),
        (PHY2LOG.tolist(), TypeError, "shares must be an array of NumPy"),
    ],
)
def test_what_are_no_shares(shared: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(PLAN, WEIGHT, 4, shares=shared)


INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@pytest.mark.parametrize("name", [*INTEGERS, "float16", "bfloat16", "float32", "float64"])
def test_tokens_of_any_dtype(name: str) -> None:
    few = np.minimum(WEIGHT, 127)
    dtype = getattr(ml_dtypes, name) if name == "bfloat16" else np.dtype(name)
    assert_equal(share_tokens(PLAN, few.astype(dtype), 4), share_tokens(PLAN, few, 4))


@pytest.mark.parametrize("name", ["uint8", "int8", "int32", "uint64"])
def test_plans_of_any_integers(name: str) -> None:
    plan = (PHY2LOG.astype(name),) * 2
    assert_equal(share_tokens((*plan, WEIGHT), WEIGHT, 4), share_tokens(PLAN, WEIGHT, 4))
    for ours, theirs in zip(prepare_shares((*plan, WEIGHT), 4), PREPARED, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_fractions_are_shared_out_in_units() -> None:
    found = share_tokens(PLAN, WEIGHT / 7.0, 4)
    tokens = np.array([reference.whole_tokens(load) for load in (WEIGHT / 7.0).astype(np.float32)])
    assert_consistent(found, Batch(PHY2LOG, tokens, 4))
    exact = share_tokens(PLAN, WEIGHT, 4)
    np.testing.assert_allclose(found.busiest / tokens.sum(axis=1), exact.busiest / WEIGHT.sum(axis=1), rtol=2e-2)


def test_too_many_tokens_are_refused_where_they_lie_in_host_memory() -> None:
    many = (WEIGHT << 20) * np.array([[1], [2]], np.int32)
    for library in LIBRARIES:
        if library.reads_values:
            with pytest.raises(ValueError, match="got 1975517184 in layer 1"):
                shares(library, Batch(PHY2LOG, many, 4))


def test_the_most_tokens() -> None:
    weight = np.array([[2**30 - 1, 0]])
    found = share_tokens((np.array([[0, 1, 0, 1]]), weight, weight), weight, 2)
    assert found.share.tolist() == [[2**29, 0, 2**29 - 1, 0]]
    assert found.lower_bound.tolist() == [np.nextafter(np.float32(2**29), np.float32(0))]
    with pytest.raises(ValueError, match=r"got 1073741824 in layer 0"):
        share_tokens((np.array([[0, 1, 0, 1]]), weight, weight), weight + 1 - np.array([[0, 1]]), 2)


def _prepared_shares(plan: Any, weight: Any, *, num_gpus: int) -> Shares[Any]:
    return share_tokens(plan, weight, num_gpus, prepared=prepare_shares(plan, num_gpus))


@over(library for library in LIBRARIES if library.name != "jax-vmap")  # another program of the same
def test_prepared_plans_give_the_same(library: Library) -> None:
    found = library.run(_prepared_shares, (PHY2LOG, PHY2LOG, WEIGHT), WEIGHT, num_gpus=4)
    assert_equal(found, share_tokens(PLAN, WEIGHT, 4))


def test_a_plan_prepared_for_more_gpus_holds_what_fewer_hold_twice() -> None:
    slots, load = np.zeros((1, 4), np.int64), np.array([[8]])
    plan = (slots, slots, load)
    with pytest.raises(ValueError, match="another number of GPUs: it has not what 2 GPUs"):
        share_tokens(plan, load, 2, prepared=prepare_shares(plan, 4))


def test_a_plan_that_was_prepared_for_one_gpu_is_no_other_where_every_slot_is_a_gpu() -> None:
    phy2log, weight = np.array([[0, 1, 0, 1]]), np.array([[7, 5]])
    plan = (phy2log, phy2log, weight)
    with pytest.raises(ValueError, match="it has not what 4 GPUs hold in layer 0"):
        share_tokens(plan, weight, 4, prepared=prepare_shares(plan, 1))


@given(batch=batches([(8, 12, 4), (5, 10, 5), (6, 24, 4)]))
def test_prepared_plans_of_many_sizes_give_the_same(batch: Batch) -> None:
    phy2log, tokens, gpus = batch
    prepared = prepare_shares((phy2log, phy2log, tokens), gpus)
    assert isinstance(prepared, Prepared)
    found = share_tokens((phy2log, phy2log, tokens), tokens, gpus, prepared=prepared)
    assert_equal(found, shares(NUMPY, batch))


def test_the_tolerance_may_be_an_array_or_a_number_of_any_kind() -> None:
    want = share_tokens(PLAN, WEIGHT, 4, tolerance=0.25)
    for tolerance in (np.float32(0.25), np.float64(0.25), np.array(0.25)):
        assert_equal(share_tokens(PLAN, WEIGHT, 4, tolerance=tolerance), want)
    # What is not read is kept within its limits.
    assert_equal(share_tokens(PLAN, WEIGHT, 4, tolerance=np.array(9)), share_tokens(PLAN, WEIGHT, 4, tolerance=1))
    loose, tight = (share_tokens(PLAN, WEIGHT, 4, tolerance=tolerance) for tolerance in (1, 0))
    assert (loose.rounds <= tight.rounds).all()
    assert (loose.busiest >= tight.busiest).all()
