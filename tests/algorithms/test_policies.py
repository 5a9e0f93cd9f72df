"""The policies beside greedy: the reference's plans, and no doubled replicas."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import (
    POLICIES,
    Plan,
    Policy,
    balanced_packing,
    rebalance_experts_hierarchical,
)
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import FAMILIES, batch, every_family, thorough, weights
from tests.support.plans import NAMES, assert_same, busiest, plan, policies, problems, report_of
from tests.support.references import policies as reference_policies
from tests.support.references.plan import clean

SWAP, MULTISTART = POLICIES["swap"], POLICIES["multistart"]
FEW_STARTS = replace(MULTISTART, starts=4, seed=3)
MIXED = replace(
    MULTISTART, starts=3, noise=1.0, neighbourhood="any", rounds=9, finish=5, shakes=1, threshold=0.0, seed=2**31 - 1
)
JOINT = Policy(rounds=9, finish=20, shakes=2, levels=2, refined=5, generations=3)
# replicas, groups, nodes, GPUs, for 16 experts
EXPERTS = 16
HIERARCHICAL, GLOBAL = (24, 8, 2, 4), (24, 1, 1, 8)
SEEDS = (0, 100, 200)
# Swap on nodes, for which XLA compiles twice as much, is tried by the hierarchical function.
TRIED = {
    "swap": (GLOBAL, SWAP),
    "few starts": (HIERARCHICAL, FEW_STARTS),
    "mixed": (GLOBAL, MIXED),
    "joint, 2 slots a GPU": ((24, 1, 1, 12), JOINT),
    "joint, 4 slots a GPU": ((32, 8, 2, 8), replace(JOINT, levels=3, refined=9, tolerance=0.0, threshold=0.0)),
}
every_policy = pytest.mark.parametrize(("sizes", "policy"), TRIED.values(), ids=TRIED)
# Room for all of 6 experts on every GPU and more, and just so.
ROOMY, FULL = (28, 1, 1, 4), (24, 2, 2, 8)


def least_doubled(experts: int, sizes: tuple[int, ...]) -> int:
    """What is left when every GPU holds every expert of its node."""
    replicas, _, nodes, gpus = sizes
    return max(0, replicas - experts // nodes * gpus)


@cache
def expected(sizes: tuple[int, ...], policy: Policy, seed: int) -> Plan[NumPyArray]:
    return reference_policies.plan(families(seed), *sizes, policy=policy)


def families(seed: int) -> NumPyArray:
    """One layer of each family of loads, so that all libraries compile for one shape."""
    return np.concatenate([batch(family, seed + i, 1, EXPERTS) for i, family in enumerate(FAMILIES)])


@every_library
@every_policy
def test_plans_are_those_of_the_reference(library: Library, sizes: tuple[int, ...], policy: Policy) -> None:
    for seed in SEEDS:
        weight = families(seed)
        made = plan(library, weight, sizes, policy=policy)
        assert_same(made, expected(sizes, policy, seed))
        assert (report_of(made, weight, sizes).doubled == 0).all()


@every_library
def test_layers_do_not_touch_each_other_and_powers_of_two_change_nothing(library: Library) -> None:
    sizes, policy = TRIED["mixed"]
    factor = np.ldexp(np.float32(1), np.array([*range(-6, 7), 0, 0, 0]))[:, None]  # the last families would overflow
    odd = np.arange(len(FAMILIES)) % 2 == 1
    mixed = plan(library, np.where(odd[:, None], families(100), families(0) * factor), sizes, policy=policy)
    for got, even_row, odd_row in zip(mixed, expected(sizes, policy, 0), expected(sizes, policy, 100), strict=True):
        np.testing.assert_array_equal(got[odd], odd_row[odd])
        np.testing.assert_array_equal(got[~odd], even_row[~odd])


@every_library
@pytest.mark.parametrize(("sizes", "cap"), [(ROOMY, 5), (FULL, None)], ids=["roomy", "full"])
def test_plans_with_room_for_every_expert_on_every_gpu(
    library: Library, sizes: tuple[int, ...], cap: int | None
) -> None:
    weight = every_family(6)[::4]
    made = plan(library, weight, sizes, policy="swap", max_replicas=cap)
    assert_same(made, reference_policies.plan(weight, *sizes, policy=SWAP, max_replicas=cap))
    assert (report_of(made, weight, sizes).doubled == least_doubled(6, sizes)).all()


joint_policies = st.builds(
    replace,
    policies,
    starts=st.just(1),
    finish=st.integers(0, 9),
    shakes=st.integers(0, 2),
    levels=st.integers(0, 5),
    refined=st.integers(1, 12),
    generations=st.integers(1, 3),
    tolerance=st.sampled_from([0.0, 2.0**-13, 0.1]),
)


@thorough
@given(problem=problems(), policy=policies | joint_policies, room=st.integers(0, 4))
def test_plans_of_many_sizes(problem: tuple[NumPyArray, tuple[int, ...]], policy: Policy, room: int) -> None:
    weight, sizes = problem
    experts = weight.shape[1]
    cap = min(-(-sizes[0] // experts) + room, sizes[0])
    for max_replicas in (None, cap):
        made = plan(NUMPY, weight, sizes, policy=policy, max_replicas=max_replicas)
        assert_same(made, reference_policies.plan(weight, *sizes, policy=policy, max_replicas=max_replicas))
        assert (report_of(made, weight, sizes).doubled == least_doubled(experts, sizes)).all()
        assert made.logcnt.min() >= 1
    assert made.logcnt.max() <= cap


def test_loads_that_say_nothing_about_the_spares_spread_them() -> None:
    sizes = (40, 1, 1, 8)
    same = plan(NUMPY, np.array([np.zeros(16), np.full(16, 7.0)]), sizes, policy="swap")
    np.testing.assert_array_equal(np.sort(same.logcnt), [[2] * 8 + [3] * 8] * 2)
    one_busy = np.where(np.arange(16) == 5, 9.0, 0.0)[None, :]
    made = plan(NUMPY, one_busy, sizes, policy="swap")
    assert made.logcnt[0, 5] == 8  # one on each GPU
    assert sorted(np.delete(made.logcnt[0], 5)) == [2] * 13 + [3] * 2
    assert report_of(made, one_busy, sizes).balancedness == 1
    assert plan(NUMPY, one_busy, (20, 1, 1, 4), policy="swap").logcnt[0].tolist() == [2, 1, 1, 1, 1, 4] + [1] * 10


def test_what_undoubled_replicas_cost() -> None:
    # Greedy puts both halves of the first expert on one GPU with load 10; apart, one is with 9 or with 1.
    weight = np.array([[10, 9, 1]])
    assert busiest(weight, (4, 1, 1, 2), POLICIES["greedy"]) == 10
    assert busiest(weight, (4, 1, 1, 2), SWAP) == pytest.approx(14)
    assert report_of(plan(NUMPY, weight, (4, 1, 1, 2), policy="swap"), weight, (4, 1, 1, 2)).doubled == 0


@given(weight=weights((4, 8)))
def test_more_replicas_than_gpus_only_where_doubling_is_allowed(weight: NumPyArray) -> None:
    assert plan(NUMPY, weight, (12, 1, 1, 2), policy="swap").logcnt.max() <= 2
    allowed = plan(NUMPY, weight, (12, 1, 1, 2), policy=replace(SWAP, may_double=True))
    np.testing.assert_array_equal(allowed.logcnt, plan(NUMPY, weight, (12, 1, 1, 2)).logcnt)


@given(weight=weights((4, 8)))
def test_without_swaps_or_starts_doubling_is_greedy(weight: NumPyArray) -> None:
    policy = Policy(may_double=True, rounds=0, noise=0.7, seed=9, neighbourhood="lightest")
    assert_same(plan(NUMPY, weight, (12, 4, 2, 4), policy=policy), plan(NUMPY, weight, (12, 4, 2, 4)))


@every_library
@pytest.mark.parametrize("policy", [FEW_STARTS, MIXED], ids=["few starts", "mixed"])
@given(data=st.data())
def test_items_are_packed_as_the_reference_does(library: Library, policy: Policy, data: st.DataObject) -> None:
    weight = data.draw(weights((3, 12)))
    pack_index, rank = library.run(balanced_packing, weight, num_packs=4, policy=policy)
    for layer, load in enumerate(clean(weight)):
        packs = np.empty((4, 3), np.int64)
        packs[pack_index[layer], rank[layer]] = np.arange(12)
        assert packs.tolist() == reference_policies.assign(load, 4, policy)


@every_library
def test_the_hierarchical_function_ranks_replicas_by_slot(library: Library) -> None:
    sizes = dict(zip(("num_physical_experts", *NAMES[1:]), HIERARCHICAL, strict=True))
    for seed in SEEDS:
        phy2log, rank, logcnt = library.run(rebalance_experts_hierarchical, families(seed), **sizes, policy="swap")
        made = expected(HIERARCHICAL, SWAP, seed)
        np.testing.assert_array_equal(phy2log, made.phy2log)
        np.testing.assert_array_equal(logcnt, made.logcnt)
        layer = np.arange(len(phy2log))[:, None]
        by_rank = made.log2phy[layer, phy2log, rank]
        np.testing.assert_array_equal(by_rank, np.broadcast_to(np.arange(24), phy2log.shape))
        assert (report_of(made, families(seed), HIERARCHICAL).doubled == 0).all()
