"""Fresh plans under the names of the previous one's GPUs; where they are taken, and rings that stay."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import POLICIES, Policy, rebalance_experts
from tests.support.following import Case, assert_maps, busiest, cases, renewed
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.plans import LIGHT_JOINT, assert_same
from tests.support.references.moving import by_gpu, least_moved, moved

GLOBAL, NODES = (12, 1, 1, 4), (12, 4, 2, 4)
EVERY: dict[str, Any] = {**{name: name for name in POLICIES}, "joint": LIGHT_JOINT}
LIGHT = Policy(rounds=0)


def held(slots: list[int], nodes: int, gpus: int) -> Any:
    """What GPUs hold, those of a node together, in an order that no names change."""
    its = [sorted(gpu) for gpu in by_gpu(slots, gpus)]
    return sorted(sorted(its[node : node + gpus // nodes]) for node in range(0, gpus, gpus // nodes))


def assert_renewed(made: NumPyArray, fresh: NumPyArray, previous: NumPyArray, sizes: tuple[int, int, int, int]) -> None:
    """The fresh plan under the best names."""
    _, _, nodes, gpus = sizes
    for now, new, before in zip(made.tolist(), fresh.tolist(), previous.tolist(), strict=True):
        assert held(now, nodes, gpus) == held(new, nodes, gpus)
        least = least_moved(new, before, nodes, gpus)
        assert moved(now, before, gpus) == least == sum(a != b for a, b in zip(now, before, strict=True))


@every_library
@settings(max_examples=2)
@given(case=cases((6, 1, 8), NODES))
def test_fresh_plans_under_the_best_names(library: Library, case: Case) -> None:
    made = library.run(renewed, case.previous, case.weight, sizes=NODES, policy=LIGHT)
    assert_renewed(made.phy2log, rebalance_experts(case.samples[0], *NODES, policy=LIGHT).phy2log, case.previous, NODES)
    assert_maps(made, 8, 5)
    assert_same(made, NUMPY.run(renewed, case.previous, case.weight, sizes=NODES, policy=LIGHT))


@pytest.mark.parametrize("policy", EVERY.values(), ids=EVERY)
@settings(max_examples=5)
@given(data=st.data(), sizes=st.sampled_from([GLOBAL, NODES]), samples=st.integers(1, 2))
def test_every_policy_under_the_best_names(
    policy: Any, data: st.DataObject, sizes: tuple[int, int, int, int], samples: int
) -> None:
    case = data.draw(cases((4, samples, 8), sizes))
    fresh = rebalance_experts(case.samples, *sizes, policy=policy)
    made = rebalance_experts(case.samples, *sizes, policy=policy, previous=case.previous)
    assert_renewed(made.phy2log, fresh.phy2log, case.previous, sizes)
    for previous in ((case.previous,), (case.previous, fresh.log2phy)):
        assert_same(rebalance_experts(case.samples, *sizes, policy=policy, previous=previous), made)


@given(case=cases((3, 1, 8), GLOBAL), gain=st.sampled_from([0.02, 0.2, 1.0]))
def test_fresh_plans_that_gain_too_little_are_not_taken(case: Case, gain: float) -> None:
    weight, previous = case.samples[0], case.previous
    stays = rebalance_experts(weight, *GLOBAL, policy=LIGHT, previous=previous, max_moves=0)
    fresh = rebalance_experts(weight, *GLOBAL, policy=LIGHT, previous=previous)
    made = rebalance_experts(weight, *GLOBAL, policy=LIGHT, previous=previous, min_gain=gain)
    before, after = (busiest(plan.phy2log, case, 4) for plan in (stays, fresh))
    for i in range(3):
        if before[i] - after[i] > 1.0001 * gain * before[i]:
            np.testing.assert_array_equal(made.phy2log[i], fresh.phy2log[i])
        elif before[i] - after[i] < 0.9999 * gain * before[i] or before[i] == after[i]:
            np.testing.assert_array_equal(made.phy2log[i], stays.phy2log[i])


@settings(max_examples=5)
@given(case=cases((6, 1, 8), GLOBAL))
def test_fresh_plans_are_taken_within_the_budget_where_they_are_better(case: Case) -> None:
    weight, options = case.samples[0], dict[str, Any](previous=case.previous)
    fresh = rebalance_experts(weight, *GLOBAL, **options)
    made = rebalance_experts(weight, *GLOBAL, max_moves=12, **options)
    after, free = (busiest(plan.phy2log, case, 4) for plan in (made, fresh))
    assert (after <= free).all()
    for slots, before in zip(made.phy2log.tolist(), case.previous.tolist(), strict=True):
        assert moved(slots, before, 4) == sum(a != b for a, b in zip(slots, before, strict=True))


@pytest.mark.parametrize("sizes", [(24, 1, 1, 8), (24, 4, 2, 8)])
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_of_rings_only_experts_with_one_replica_move(sizes: tuple[int, int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, 1, (6, 16))
    plan = rebalance_experts(weight, *sizes, policy="ring")
    later = weight * rng.lognormal(0, 0.5, weight.shape)
    made = rebalance_experts(later, *sizes, policy="ring", previous=plan, max_moves=5)
    np.testing.assert_array_equal(made.logcnt, plan.logcnt)
    several = plan.logcnt > 1
    np.testing.assert_array_equal(made.log2phy[several] // 3, plan.log2phy[several] // 3)
    assert (made.log2phy[several] == plan.log2phy[several]).all()
    assert (made.phy2log != plan.phy2log).any()
    assert ((made.phy2log != plan.phy2log).sum(axis=1) <= 5).all()
