"""Plans for several samples: what each of them counts, on every library, and what is refused."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import POLICIES, Plan, evaluate, rebalance_experts
from eplb_xp.algorithms.following import samples as its_samples
from tests.support.following import Case, busiest, by_sample, cases
from tests.support.libraries import LIBRARIES, NUMPY, Library, NumPyArray, every_library
from tests.support.loads import FAMILIES
from tests.support.plans import LIGHT_JOINT, assert_same
from tests.support.references.beginning import over_samples, shares
from tests.support.references.plan import clean
from tests.support.steps import run_step

SIZES = (12, 1, 1, 4)
HIERARCHICAL = (12, 4, 2, 4)
# Joint as it is takes a second with 12 slots.
EVERY: dict[str, Any] = {**{name: name for name in POLICIES}, "joint": LIGHT_JOINT}
every_policy = pytest.mark.parametrize("policy", EVERY.values(), ids=EVERY)
few = settings(max_examples=4)


def tokens(seed: int, *, largest: int = 2**14, number: int = 3, layers: int = 6) -> NumPyArray:
    """Loads [samples, layers, experts] of experts that are busy in some samples more than in others."""
    rng = np.random.default_rng(seed)
    load = rng.lognormal(0, 1, (layers, 8)) * rng.lognormal(0, 0.7, (number, layers, 8))
    return np.asarray(np.floor(load / load.max() * largest), np.int64)


seeds = st.integers(0, 2**32 - 1)


def plan_for(weight: Any, **options: Any) -> Any:
    """The plan for loads [layers, samples, experts]."""
    return rebalance_experts(by_sample(weight), *SIZES, **options)


@every_library
def test_plans_are_the_same_on_every_library(library: Library) -> None:
    weight = np.concatenate([tokens(seed, layers=4) for seed in range(3)], axis=1).transpose(1, 0, 2).astype(np.float32)
    rng = np.random.default_rng(0)
    weight[:4] = np.array([[FAMILIES[name](rng, 8) for name in list(FAMILIES)[i : i + 3]] for i in (3, 6, 9, 13)])
    made = library.run(plan_for, weight, policy="swap")
    assert isinstance(made, Plan)
    assert_same(made, NUMPY.run(plan_for, weight, policy="swap"))


@every_policy
@few
@given(case=cases((4, 1, 8), HIERARCHICAL))
def test_one_sample_is_as_no_sample_axis(policy: Any, case: Case) -> None:
    one, none = case.samples, case.samples[0]
    previous: dict[str, Any] = {"previous": case.previous}
    within: list[dict[str, Any]] = [{**previous, "max_moves": moves} for moves in (2, case.budget)]
    for options in ({}, previous, *within):
        made = rebalance_experts(none, *HIERARCHICAL, policy=policy, **options)
        assert_same(rebalance_experts(one, *HIERARCHICAL, policy=policy, **options), made)


@every_policy
@few
@given(seed=seeds)
def test_factors_samples_without_tokens_and_other_orders_change_nothing(policy: Any, seed: int) -> None:
    weight = tokens(seed)
    made = rebalance_experts(weight, *SIZES, policy=policy)
    # Each sample has its own, none a power of two; all sums are exact.
    factor = np.random.default_rng(seed).choice([3, 5, 7, 11, 13], (3, 6, 1))
    assert_same(rebalance_experts(weight * factor, *SIZES, policy=policy), made)
    assert_same(rebalance_experts(weight * np.float32(3), *SIZES, policy=policy), made)
    for place in range(4):
        more = np.insert(weight, place, 0, axis=0)
        assert_same(rebalance_experts(more, *SIZES, policy=policy), made)
    # The sum over samples is rounded in another order.
    other = rebalance_experts(weight[::-1], *SIZES, policy=policy)
    assert judged(other.phy2log, weight) == pytest.approx(judged(made.phy2log, weight), rel=0.05)


def judged(plan: NumPyArray, weight: NumPyArray) -> NumPyArray:
    """What the busiest GPUs have of all tokens, in the mean over samples: [layers]."""
    load = weight.astype(np.float32)
    found: NumPyArray = busiest(plan, Case(plan, plan[:, 0], load.transpose(1, 0, 2)), 4) / len(weight)
    return found


@pytest.mark.parametrize("sizes", [SIZES, HIERARCHICAL])
@pytest.mark.parametrize("policy", ["swap", LIGHT_JOINT], ids=["swap", "joint"])
@few
@given(seed=seeds)
def test_the_mean_of_the_busiest_is_never_above_that_of_the_plan_for_the_mean(
    sizes: tuple[int, int, int, int], policy: Any, seed: int
) -> None:
    weight = tokens(seed, layers=12)
    made = rebalance_experts(weight, *sizes, policy=policy)
    plain = rebalance_experts(mean_of(weight), *sizes, policy=policy)
    assert (judged(made.phy2log, weight) <= judged(plain.phy2log, weight) + 2.0**-20).all()
    if sizes == SIZES:  # on the two GPUs of a node there is nothing to swap
        assert (judged(made.phy2log, weight) < judged(plain.phy2log, weight)).any()
    assert evaluate(made, weight, 4).doubled.sum() == 0


def mean_of(weight: NumPyArray) -> NumPyArray:
    """The sum of shares, each rounded down to 24 bits: [layers, experts]."""
    samples, layers, experts = weight.shape
    load = clean(weight.reshape(-1, experts)).reshape(weight.shape)
    each = [[list(shares(load[sample, layer])) for sample in range(samples)] for layer in range(layers)]
    return np.array([[over_samples(list(x)) for x in zip(*of_layer, strict=True)] for of_layer in each])


@few
@given(seed=seeds)
def test_policies_without_steps_plan_for_the_mean(seed: int) -> None:
    weight = tokens(seed, largest=2**20)
    for policy in ("greedy", "ring", replace(POLICIES["swap"], rounds=0)):
        made = rebalance_experts(weight, *SIZES, policy=policy)
        np.testing.assert_array_equal(made.phy2log, rebalance_experts(mean_of(weight), *SIZES, policy=policy).phy2log)


@few
@given(seed=seeds)
def test_policies_that_try_no_other_counts_keep_them(seed: int) -> None:
    weight = tokens(seed)
    made = rebalance_experts(weight, *SIZES, policy="swap")
    np.testing.assert_array_equal(made.logcnt, rebalance_experts(mean_of(weight), *SIZES, policy="swap").logcnt)
    capped = rebalance_experts(weight, *SIZES, policy=LIGHT_JOINT, max_replicas=2)
    assert capped.logcnt.max() <= 2
    assert capped.log2phy.shape == (6, 8, 2)


def even(seed: int) -> NumPyArray:
    """Loads of samples that all have 2^20 tokens."""
    weight = tokens(seed)
    weight[:, :, 0] += 2**20 - weight.sum(axis=2)
    return weight


@every_policy
@few
@given(seed=seeds)
def test_weights_of_samples(policy: Any, seed: int) -> None:
    weight = even(seed)

    def weighed(importance: Any, load: NumPyArray = weight, **options: Any) -> Plan[NumPyArray]:
        return rebalance_experts(load, *SIZES, policy=policy, sample_weights=np.array(importance), **options)

    made = rebalance_experts(weight, *SIZES, policy=policy)
    assert_same(weighed([1, 1, 1]), made)
    assert_same(weighed([0.25, 0.25, 0.25]), made)
    # Whole numbers are exact, and a weight is as good as a load.
    twice = weighed([1, 2, 3])
    assert_same(weighed([1.0, 1.0, 1.0], weight * np.array([1, 2, 3])[:, None, None]), twice)
    assert_same(weighed([1.5, 3.0, 4.5]), twice)
    # What has no weight says nothing, however much it is.
    huge = np.insert(weight.astype(np.float32), 1, 2.0**90 * np.arange(8, dtype=np.float32), axis=0)
    assert_same(weighed([1, 0, 2, 3], huge), twice)
    previous: dict[str, Any] = {"previous": made, "max_moves": 2}
    assert_same(weighed([1, 0, 2, 3], huge, **previous), weighed([1, 2, 3], **previous))
    assert_same(weighed([5], weight[:1]), rebalance_experts(weight[0], *SIZES, policy=policy))
    assert_same(weighed([5], weight[0]), rebalance_experts(weight[0], *SIZES, policy=policy))


@every_library
def test_products_of_loads_and_weights_are_rounded_once(library: Library) -> None:
    rng = np.random.default_rng(0)
    weight = rng.lognormal(0, 4, (6, 3, 8)).astype(np.float32)
    importance = rng.lognormal(0, 1, (6, 3)).astype(np.float32)
    importance[0, 0] = 0
    (found,) = run_step(library, its_samples.weighed, importance, weight)
    load = clean(np.where(importance[:, :, None] > 0, weight, 0).reshape(6, 24)).reshape(6, 3, 8)
    units = np.floor(clean(importance) * np.float32(2**11))
    for ours, its, unit in zip(found.ravel(), load.ravel(), np.repeat(units.ravel(), 8), strict=True):
        assert ours == np.float32(float(Fraction(float(its)) * Fraction(float(unit))))


def test_a_mapped_axis_is_none_of_samples() -> None:
    import jax  # noqa: PLC0415 # a mutation run has NumPy alone
    import torch  # noqa: PLC0415

    weight = tokens(0).astype(np.float32)

    def plan(load: Any) -> Any:
        return rebalance_experts(load, *SIZES, policy="greedy")

    found = torch.vmap(plan)(torch.asarray(weight))
    for number, load in enumerate(weight):
        assert_same(Plan(*(x[number].numpy() for x in found)), plan(load))
    shapes = [x.shape for x in jax.eval_shape(jax.vmap(plan), weight)]
    assert shapes == [x.shape for x in found] == [(3, 6, 12), (3, 6, 8, 5), (3, 6, 8)]


WEIGHT = tokens(0, layers=2).astype(np.float32)
planned: Any = rebalance_experts  # with what type checkers refuse


@pytest.mark.parametrize(
    ("weight", "importance", "error", "message"),
    [
        (WEIGHT, [1, 2, 3], TypeError, "sample_weights must be an array of NumPy"),
        (WEIGHT, 1.0, TypeError, "sample_weights must be an array of NumPy"),
        (WEIGHT, np.ones(3, bool), TypeError, "sample_weights must be of integers or real floats, got dtype bool"),
        (WEIGHT, np.ones(3, complex), TypeError, "sample_weights must be .*, got dtype complex128"),
        (WEIGHT, np.ones(2), ValueError, r"sample_weights must have shape \[samples\], here \(3,\), got \(2,\)"),
        (WEIGHT, np.ones((3, 1)), ValueError, r"here \(3,\), got \(3, 1\)"),
        (WEIGHT[0], np.ones(2), ValueError, r"here \(1,\), got \(2,\)"),
        (WEIGHT, np.array([1, -1, 2]), ValueError, r"must be finite and not negative, got -1 at \[1\]"),
        (WEIGHT, np.array([1, 1, np.nan]), ValueError, r"must be finite and not negative, got nan at \[2\]"),
        (WEIGHT, np.array([np.inf, 1, 1]), ValueError, r"must be finite and not negative, got inf at \[0\]"),
        (WEIGHT[:0], None, ValueError, r"weight must have at least one sample, got shape \(0, 2, 8\)"),
        (WEIGHT[None], None, ValueError, r"\[layers, experts\] or \[samples, .*\], got shape \(1, 3, 2, 8\)"),
        (WEIGHT[0, 0], None, ValueError, r"\[layers, experts\] or \[samples, layers, experts\], got shape \(8,\)"),
        (WEIGHT * [[[1], [np.nan]]], None, ValueError, r"weight has 24 loads that are NaN.* at \[0, 1, 0\]"),
        (-WEIGHT, np.ones(3), ValueError, "weight has .* NaN, infinite or negative"),
    ],
)
def test_what_are_no_samples(weight: Any, importance: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        planned(weight, *SIZES, sample_weights=importance)


def test_weights_of_samples_are_of_the_library_of_the_loads() -> None:
    for library in LIBRARIES:
        if library.array is not np.ndarray and library.reads_values and library.name != "jax-vmap":
            for weight, importance in ((WEIGHT, library.asarray(np.ones(3))), (library.asarray(WEIGHT), np.ones(3))):
                with pytest.raises(TypeError, match="all arrays must be of the same library, got sample_weights of"):
                    planned(weight, *SIZES, sample_weights=importance)
