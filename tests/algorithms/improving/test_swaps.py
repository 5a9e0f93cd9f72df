"""Swaps and starts: they never raise a layer's maximum, and what gaps they leave."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from eplb_xp import POLICIES, Policy
from eplb_xp.algorithms.improving.swaps import swap, swap_twice
from eplb_xp.algorithms.improving.table import table
from eplb_xp.algorithms.packing.packed import Items, packed
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.loads import FAMILIES, batch, thorough
from tests.support.plans import assert_same, busiest, plan, policies, problems, report_of
from tests.support.references import policies as reference_policies

SWAP, MULTISTART = POLICIES["swap"], POLICIES["multistart"]


@thorough
@given(problem=problems(), policy=policies)
def test_swaps_and_starts_never_raise_a_layer_s_maximum(
    problem: tuple[NumPyArray, tuple[int, ...]], policy: Policy
) -> None:
    weight, sizes = problem
    plain = busiest(weight, sizes, replace(policy, starts=1, rounds=0))
    swapped = busiest(weight, sizes, replace(policy, starts=1))
    assert (swapped <= plain).all()
    assert (busiest(weight, sizes, replace(policy, rounds=0)) <= plain).all()
    assert (busiest(weight, sizes, policy) <= swapped).all()


def test_groups_are_split_alike_from_any_number_of_starts() -> None:
    # Split from as many starts as the replicas, 112 of these layers would be worse than from one.
    weight = np.random.default_rng(0).lognormal(0, 1, (3000, 16)).astype(np.float32)
    sizes = (32, 16, 4, 16)
    policy = replace(SWAP, starts=8, noise=1.0, rounds=2)
    assert (busiest(weight, sizes, policy) <= busiest(weight, sizes, replace(policy, starts=1))).all()


def test_of_two_splits_of_groups_with_the_same_busiest_gpu_eplb_s_is_kept() -> None:
    # Swaps make the nodes even, 8 and 8 instead of 9 and 7, but the GPU with the expert of 5 stays the busiest.
    weight = np.array([[1, 1, 1, 2, 1, 5, 3, 2]])
    sizes = (8, 8, 2, 4)
    made = plan(NUMPY, weight, sizes, policy="swap")
    assert made.phy2log.tolist() == [[5, 4, 7, 2, 6, 1, 3, 0]]
    assert_same(made, reference_policies.plan(weight, *sizes, policy=SWAP))


def test_swaps_that_only_seem_to_help_are_not_made() -> None:
    # Without a threshold, sums that round in another order after a swap can be larger than before it.
    policy = replace(SWAP, threshold=0.0, rounds=200)
    for family in FAMILIES:
        for sizes in [(80, 1, 1, 8), (64, 1, 1, 2)]:
            weight = batch(family, 1, 200, 64 if sizes[-1] == 8 else 32)
            assert (busiest(weight, sizes, policy) <= busiest(weight, sizes, replace(SWAP, rounds=0))).all()


def test_a_policy_is_not_worse_where_every_expert_is_on_every_gpu() -> None:
    weight = np.random.default_rng(0).integers(1, 1000, (1000, 4)).astype(np.float32)
    sizes = (40, 1, 1, 4)
    few = busiest(weight, sizes, replace(SWAP, rounds=0))
    assert (busiest(weight, sizes, replace(MULTISTART, starts=4)) <= few).all()


def test_an_idle_expert_counts_less_than_any_replica_of_another() -> None:
    weight = np.array([[1.0, 2.0**-60, 0.0]])
    assert plan(NUMPY, weight, (4096, 1, 1, 2048), policy=replace(SWAP, rounds=0)).logcnt.tolist() == [[2048, 2047, 1]]


# 58 layers of 256 experts on 32 GPUs with 288 replicas, lognormal of sigma 0.6
@pytest.mark.parametrize(("policy", "most"), [("swap", 0.0003), ("multistart", 0.0012), ("joint", 0.00005)])
@pytest.mark.parametrize("seed", [0, 1])
def test_gaps_at_the_size_of_deepseek_v3(policy: str, most: float, seed: int) -> None:
    weight = np.random.default_rng(seed).lognormal(0, 0.6, (58, 256)).astype(np.float32)
    sizes = (288, 1, 1, 32)
    report = report_of(plan(NUMPY, weight, sizes, policy=policy), weight, sizes)
    assert report.gap.mean() <= most
    assert (report.doubled == 0).all()


def test_starts_without_swaps_are_tried_too() -> None:
    weight = np.random.default_rng(0).lognormal(0, 1, (200, 16)).astype(np.float32)
    sizes = (16, 1, 1, 4)
    policy = Policy(may_double=True, starts=2, noise=1.0, rounds=0)
    assert (busiest(weight, sizes, policy) < busiest(weight, sizes, POLICIES["greedy"])).any()


def test_a_row_that_wants_no_swap_stays_as_it_is() -> None:
    load = np.array([[5, 1, 2, 3]] * 2, np.float32)
    packs = packed(LIBRARY, np.array([[0, 1, 2, 3]] * 2), load, 2)
    before = table(LIBRARY, packs, Items(load, np.array([[0, 1, 2, 3]] * 2)))
    first, last = np.array([[0]] * 2), np.array([[3]] * 2)  # the loads 5 and 3
    after = swap(LIBRARY, before, (first, last), np.array([[True], [False]]))
    assert after.pack_load.tolist() == [[4, 7], [6, 5]]
    for now, then in zip(after, before, strict=True):
        np.testing.assert_array_equal(now[1], then[1], strict=True)


def test_rows_that_want_no_exchange_two_swaps_or_one_twice() -> None:
    load = np.array([[9, 1, 2, 3, 4, 5]] * 3, np.float32)
    item = np.array([[0, 1, 2, 3, 4, 5]] * 3)
    packs = packed(LIBRARY, item, load, 3)  # 9 and 1, 2 and 3, 4 and 5
    before = table(LIBRARY, packs, Items(load, item))
    # Places are of the loads 9, 2, 4 at rank 0, then 1, 3, 5: 9 for 2, and then 3 for 4; or 9 for 2 alone.
    first = np.array([[0]] * 3), np.array([[1]] * 3)
    second = np.array([[4], [4], [0]]), np.array([[2], [2], [1]])
    after = swap_twice(LIBRARY, before, first, second, np.array([[True], [False], [True]]))
    assert after.load.tolist() == [[2, 9, 3, 1, 4, 5], [9, 2, 4, 1, 3, 5], [2, 9, 4, 1, 3, 5]]
    assert after.pack_load.tolist() == [[3, 13, 8], [10, 5, 9], [3, 12, 9]]
    np.testing.assert_array_equal(after.item, after.expert)
    np.testing.assert_array_equal(np.take_along_axis(load, after.item, axis=1), after.load)
