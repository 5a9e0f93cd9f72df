"""Samples of a window of steps."""

import re
from typing import Any

import numpy as np
import pytest

from eplb_xp import evaluate, rebalance_experts
from eplb_xp.loads import generate, samples

TRACE = np.random.default_rng(0).integers(0, 90, (23, 2, 6))


def lengths(steps: int, number: int, half_life: float | None = None) -> list[int]:
    """How many steps each block has: each step has an expert of its own."""
    made = samples(np.eye(steps)[:, None, :], number, half_life)[:, 0]
    assert (np.count_nonzero(made, axis=0) == 1).all()
    assert (np.diff(made.argmax(axis=1)) > 0).all()
    return np.count_nonzero(made, axis=1).tolist()


@pytest.mark.parametrize("number", [1, 2, 5, 8, 22, 23])
def test_blocks_of_consecutive_steps_are_even(number: int) -> None:
    made = samples(TRACE, number)
    sizes = lengths(len(TRACE), number)
    assert max(sizes) - min(sizes) <= 1
    ends = np.cumsum(sizes)
    expected = np.stack([TRACE[end - size : end].sum(axis=0) for size, end in zip(sizes, ends, strict=True)])
    np.testing.assert_array_equal(made, expected.astype(np.float64), strict=True)


@pytest.mark.parametrize("number", [1, 3, 8])
@pytest.mark.parametrize("half_life", [1, 6.5, np.float32(40), 1e6])
def test_a_half_life_weighs_the_steps(number: int, half_life: float) -> None:
    weight = 2.0 ** (-np.arange(len(TRACE))[::-1] / float(half_life))
    made = samples(TRACE, number, half_life)
    assert made.shape == (number, 2, 6)
    assert made.dtype == np.float64
    np.testing.assert_allclose(made.sum(axis=0), np.tensordot(weight, TRACE, 1), rtol=1e-6)
    sizes = lengths(len(TRACE), number, half_life)
    start = len(TRACE) - sizes[-1]
    np.testing.assert_allclose(made[-1], np.tensordot(weight[start:], TRACE[start:], 1), rtol=1e-6)


def test_blocks_count_the_same_in_all() -> None:
    counts = samples(np.ones((400, 1, 1)), 8, 60).ravel()
    assert counts.max() - counts.min() <= 1  # a step counts 1 at most
    sizes = lengths(400, 8, 60)
    assert sizes == sorted(sizes, reverse=True)
    assert lengths(20, 4, 1) == [17, 1, 1, 1]
    assert lengths(23, 5, 1e9) == lengths(23, 5, float("inf")) == lengths(23, 5)


def test_what_is_long_ago_counts_nothing() -> None:
    made = samples(np.ones((4000, 1, 2)), 3, 1e-320)
    assert made[:, 0, 0].tolist() == [0, 0, 1]
    assert rebalance_experts(made, 4, 1, 1, 2).phy2log.shape == (1, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.float16, np.float64])
def test_every_dtype_is_summed_as_float64(dtype: Any) -> None:
    trace = np.full((40, 1, 2), 200, dtype)
    assert samples(trace, 2).tolist() == [[[4000, 4000]]] * 2
    assert samples(trace, 2, 3).dtype == np.float64


def test_the_trace_stays_as_it_is() -> None:
    trace = TRACE.copy()
    trace.flags.writeable = False
    samples(trace, 23)[:] = -1
    np.testing.assert_array_equal(trace, TRACE)


def test_a_plan_for_samples_is_better_later() -> None:
    trace = generate("gpt-oss-20b", steps=320, seed=1)
    past, later = trace[:160], trace[160:].sum(axis=0)
    plans = [rebalance_experts(load, 40, 1, 1, 8) for load in (past.sum(axis=0), samples(past, 8))]
    of_sum, of_samples = (evaluate(plan, later, 8).balancedness.mean() for plan in plans)
    assert of_samples > of_sum


@pytest.mark.parametrize(
    ("shape", "number", "half_life", "message"),
    [
        ((5, 6), 2, None, "trace must be [steps, layers, experts], none of them 0, got shape (5, 6)"),
        ((0, 2, 6), 1, None, "none of them 0, got shape (0, 2, 6)"),
        ((5, 2, 6), 0, None, "number must be at least 1, got 0"),
        ((5, 2, 6), 6, None, "number must be at most that of the steps, got 6 samples of 5 steps"),
        ((5, 2, 6), 2, 0, "half_life must be above 0, got 0"),
        ((5, 2, 6), 2, -3.5, "half_life must be between 0 and inf, got -3.5"),
        ((5, 2, 6), 2, float("nan"), "half_life must be between 0 and inf, got nan"),
    ],
)
def test_refusals_name_the_numbers(shape: tuple[int, ...], number: int, half_life: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        samples(np.ones(shape), number, half_life)


@pytest.mark.parametrize(("number", "half_life"), [(2.5, None), (True, None), (2, "long"), (2, True)])
def test_other_kinds_are_refused(number: Any, half_life: Any) -> None:
    with pytest.raises(TypeError, match=r"(number|half_life) must be a"):
        samples(TRACE, number, half_life)
