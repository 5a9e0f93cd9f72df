"""How well a plan carries loads under given shares: beside a naive count, and beside the best shares."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Plan, SharedReport, evaluate, rebalance_experts, share_tokens
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import LIBRARIES, NUMPY, Library, NumPyArray, over
from tests.support.loads import LARGEST, weights
from tests.support.references import sharing as reference
from tests.support.shares import Batch, batches, drawn_plans, shares

TODAY = np.array([[20, 20, 40, 60, 75, 25, 0, 9]])
YESTERDAY = np.array([[7, 7, 7, 900, 7, 0, 7, 7]])


def naive(phy2log: NumPyArray, share: NumPyArray, load: NumPyArray, gpus: int) -> NumPyArray:
    """Loads of the GPUs [layers, gpus], by counting in float64."""
    found = np.zeros((len(phy2log), gpus))
    capacity = phy2log.shape[1] // gpus
    for layer, slots in enumerate(phy2log.tolist()):
        for slot, expert in enumerate(slots):
            its = share[layer][phy2log[layer] == expert]
            part = share[layer, slot] / its.sum() if its.sum() else 1 / len(its)
            found[layer, slot // capacity] += part * load[layer, expert]
    return found


def _evaluate(phy2log: Any, weight: Any, given: Any, *, num_gpus: int) -> SharedReport[Any]:
    return evaluate((phy2log, phy2log, phy2log), weight, num_gpus, shares=given)


@over(library for library in LIBRARIES if library.name != "jax-vmap")  # another program of the same
@given(data=st.data())
def test_a_report_with_shares_is_that_of_a_naive_count(library: Library, data: st.DataObject) -> None:
    phy2log = drawn_plans(data.draw(st.integers(0, 2**32 - 1)), 3, (8, 12, 4))
    weight = data.draw(weights((3, 8)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    given = rng.integers(0, 9, (3, 12)) * (rng.random((3, 12)) < 0.7)
    found = library.run(_evaluate, phy2log, weight, given, num_gpus=4)
    assert isinstance(found, SharedReport)
    load, unit = scaled(LIBRARY, weight)
    want = naive(phy2log, given, load.astype(np.float64), 4)
    gpu_load = found.gpu_load.astype(np.float64)
    np.testing.assert_allclose(np.minimum(gpu_load, LARGEST), np.minimum(want * unit, LARGEST), 2e-6, 2.0**-125)
    mean, most = want.mean(axis=1), want.max(axis=1)
    np.testing.assert_allclose(found.balancedness, np.where(most > 0, mean / np.where(most > 0, most, 1), 1), 2e-6)
    tokens = np.array([reference.whole_tokens(row) for row in weight])
    best = shares(NUMPY, Batch(phy2log, tokens, 4))
    np.testing.assert_allclose(
        found.best_balancedness,
        np.where(best.busiest > 0, tokens.sum(axis=1) / 4 / np.maximum(best.busiest, 1), 1),
        rtol=2e-6,
    )
    doubled = [12 - sum(map(len, reference.holders(slots, 8, 4))) for slots in phy2log.tolist()]
    assert found.doubled.tolist() == doubled


@given(batch=batches([(8, 12, 4), (5, 10, 5)]))
def test_equal_shares_are_what_is_measured_without_any(batch: Batch) -> None:
    phy2log, tokens, gpus = batch
    plan = (phy2log, phy2log, phy2log)
    without = evaluate(plan, tokens, gpus)
    for shared in (np.ones_like(phy2log), np.full(phy2log.shape, 0.3), np.zeros_like(phy2log)):
        found = evaluate(plan, tokens, gpus, shares=shared)
        np.testing.assert_allclose(found.gpu_load, without.gpu_load, rtol=1e-6)
        np.testing.assert_allclose(found.balancedness, without.balancedness, rtol=1e-6)
        np.testing.assert_array_equal(found.doubled, without.doubled)


@given(batch=batches([(8, 12, 4), (5, 10, 5)]))
def test_the_best_shares_are_as_good_as_reported(batch: Batch) -> None:
    phy2log, tokens, gpus = batch
    plan, best = (phy2log, phy2log, phy2log), shares(NUMPY, batch)
    for shared in (best, best.share):
        found = evaluate(plan, tokens, gpus, shares=shared)
        np.testing.assert_allclose(found.balancedness, found.best_balancedness, rtol=2e-6)
        np.testing.assert_allclose(found.gap, best.gap, atol=3e-6)
        np.testing.assert_allclose(found.lower_bound, best.lower_bound, rtol=3e-6)
        np.testing.assert_allclose(found.gpu_load, best.gpu_load, rtol=3e-6, atol=1e-6)


def test_shares_of_yesterday_are_measured_on_today() -> None:
    plan = rebalance_experts(TODAY, 12, 1, 1, 4, policy="ring")
    assert isinstance(plan, Plan)
    yesterday, today = share_tokens(plan, YESTERDAY, 4), share_tokens(plan, TODAY, 4)
    old, new = (evaluate(plan, TODAY, 4, shares=each) for each in (yesterday, today))
    assert old.best_balancedness == new.best_balancedness == pytest.approx(new.balancedness)
    assert old.balancedness < new.balancedness
