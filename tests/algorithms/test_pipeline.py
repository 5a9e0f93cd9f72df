"""rebalance_experts as EPLB plans: the reference's plan, maps that belong together, and what must not change a plan."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Plan, rebalance_experts, rebalance_experts_hierarchical
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import counts, every_family, powers_of_two, thorough, weights
from tests.support.plans import NAMES, assert_same, plan, problems
from tests.support.references import plan as reference

# layers, experts, then replicas, groups, nodes, GPUs
LAYERS, EXPERTS = 3, 8
HIERARCHICAL = (12, 4, 2, 4)
GLOBAL = (12, 1, 1, 4)
THREE_NODES = (24, 6, 3, 12)
SHAPES = [
    ((LAYERS, EXPERTS), HIERARCHICAL),
    ((LAYERS, EXPERTS), GLOBAL),
    ((2, 18), THREE_NODES),
    ((2, 12), (24, 3, 2, 4)),  # global, because 3 groups don't divide over 2 nodes
    ((3, 6), (8, 1, 1, 8)),  # one slot a GPU: nothing is packed
    ((2, 16), (16, 4, 4, 4)),  # no spares, one group and one GPU a node
    ((0, 4), (6, 2, 2, 2)),  # no layers
]
both_routes = pytest.mark.parametrize("sizes", [HIERARCHICAL, GLOBAL], ids=["hierarchical", "global"])

PRIMES = [n for n in range(11, 300) if all(n % d for d in range(2, n))]


def assert_valid(made: Plan[NumPyArray], experts: int, sizes: tuple[int, ...]) -> None:
    """Every expert is there, the three maps say the same, groups stay on nodes."""
    phy2log, log2phy, logcnt = made
    replicas, groups, nodes, _ = sizes
    layers = len(phy2log)
    assert phy2log.shape == (layers, replicas)
    assert log2phy.shape == (layers, experts, replicas - experts + 1)
    assert (logcnt >= 1).all()
    assert (logcnt.sum(axis=1) == replicas).all()
    for layer in range(layers):
        for expert in range(experts):
            slots, rest = np.split(log2phy[layer, expert], [logcnt[layer, expert]])
            assert sorted(slots) == np.flatnonzero(phy2log[layer] == expert).tolist()
            assert (rest == -1).all()
    if groups % nodes == 0:
        group = phy2log // (experts // groups)
        for layer in range(layers):
            homes = [set(node) for node in np.split(group[layer], nodes)]
            assert all(len(home) == groups // nodes for home in homes)
            assert set.union(*homes) == set(range(groups))


def assert_planned(library: Library, weight: NumPyArray, sizes: tuple[int, ...]) -> None:
    """The plan is valid and that of the reference."""
    made = plan(library, weight, sizes)
    assert_valid(made, weight.shape[1], sizes)
    assert_same(made, reference.plan(weight, *sizes))


@every_library
@given(data=st.data())
def test_plans_are_those_of_the_reference(library: Library, data: st.DataObject) -> None:
    shape, sizes = data.draw(st.sampled_from(SHAPES))
    assert_planned(library, data.draw(weights(shape)), sizes)


@every_library
@pytest.mark.parametrize("sizes", [(32, 8, 2, 4), (32, 1, 1, 4)], ids=["hierarchical", "global"])
def test_plans_of_every_family_of_loads(library: Library, sizes: tuple[int, ...]) -> None:
    assert_planned(library, every_family(24), sizes)


@thorough
@given(problem=problems())
def test_plans_of_many_sizes(problem: tuple[NumPyArray, tuple[int, ...]]) -> None:
    weight, sizes = problem
    replicas, _, _, gpus = sizes
    assert_planned(NUMPY, weight, sizes)
    assert_planned(NUMPY, weight, (replicas, 1, 1, gpus))


@every_library
@given(data=st.data())
def test_the_hierarchical_function_returns_ranks(library: Library, data: st.DataObject) -> None:
    weight = data.draw(weights((LAYERS, EXPERTS)))
    sizes = dict(zip(("num_physical_experts", *NAMES[1:]), HIERARCHICAL, strict=True))
    phy2log, rank, logcnt = library.run(rebalance_experts_hierarchical, weight, **sizes)
    expected = [reference.place(load, *HIERARCHICAL) for load in reference.clean(weight)]
    for got, want in zip((phy2log, rank, logcnt), zip(*expected, strict=True), strict=True):
        np.testing.assert_array_equal(got, np.array(want), strict=True)


@every_library
@both_routes
@given(one=weights((LAYERS, EXPERTS)), other=weights((LAYERS, EXPERTS)))
def test_layers_do_not_touch_each_other(
    library: Library, sizes: tuple[int, ...], one: NumPyArray, other: NumPyArray
) -> None:
    odd = np.arange(LAYERS) % 2 == 1
    mixed = plan(library, np.where(odd[:, None], other, one), sizes)
    for got, a, b in zip(mixed, plan(library, one, sizes), plan(library, other, sizes), strict=True):
        np.testing.assert_array_equal(got[odd], b[odd])
        np.testing.assert_array_equal(got[~odd], a[~odd])


@every_library
@both_routes
@given(weight=counts((LAYERS, EXPERTS)), power=powers_of_two(LAYERS))
def test_a_power_of_two_changes_nothing(
    library: Library, sizes: tuple[int, ...], weight: NumPyArray, power: NumPyArray
) -> None:
    assert_same(plan(library, weight * power, sizes), plan(library, weight, sizes))


@every_library
@given(data=st.data())
def test_experts_in_another_order_get_the_same_slots(library: Library, data: st.DataObject) -> None:
    # Prime loads: no two experts have a quotient in common, so the order of the experts decides nothing.
    layer = st.lists(st.sampled_from(PRIMES), min_size=EXPERTS, max_size=EXPERTS, unique=True)
    weight = np.array(data.draw(st.lists(layer, min_size=LAYERS, max_size=LAYERS)), np.float32)
    order = np.array(data.draw(st.permutations(range(EXPERTS))))
    made = plan(library, weight, GLOBAL)
    other = plan(library, weight[:, order], GLOBAL)
    np.testing.assert_array_equal(order[other.phy2log], made.phy2log)


@every_library
def test_the_loads_of_a_group_are_summed_in_one_order(library: Library) -> None:
    # In float32 the second group weighs (2^-24 + 1) + 2^-24 = 1, as much as the first one, so it comes second.
    # Summed otherwise it weighs 1 + 2^-23 and comes first, to the first node, where no other is but one without load.
    bit = 2.0**-24
    weight = np.array([[1, 0, 0, bit, bit, 1, 0.1, 0, 0, 0.01, 0, 0, 0, 0, 0, 0, 0, 0]] * 2, np.float32)
    made = plan(library, weight, THREE_NODES)
    for slots in made.phy2log:
        assert set(slots[:8]) == {0, 1, 2, 12, 13, 14}


@given(weight=weights((LAYERS, EXPERTS)))
def test_groups_and_nodes_that_do_not_divide_are_ignored(weight: NumPyArray) -> None:
    expected = plan(NUMPY, weight, GLOBAL)
    for groups, nodes in [(3, 2), (1, 5), (1, 4), (7, 3), (100, 64)]:
        assert_same(plan(NUMPY, weight, (12, groups, nodes, 4)), expected)


def test_a_small_plan_by_hand() -> None:
    # The spares go to 70 / 1 and 40 / 1, so the replicas weigh 10, 20, 35, 20, 35 and 20. The two of 35
    # open GPUs 0 and 1; GPU 2 gets both first ones of 20, GPU 0 the other one, GPU 1 the one of 10.
    phy2log, log2phy, logcnt = rebalance_experts(np.array([[10, 20, 70, 40]]), 6, 1, 1, 3, policy="greedy")
    assert phy2log.tolist() == [[2, 3, 2, 0, 1, 3]]
    assert log2phy.tolist() == [[[3, -1, -1], [4, -1, -1], [0, 2, -1], [5, 1, -1]]]
    assert logcnt.tolist() == [[1, 1, 2, 2]]


def test_one_busy_expert_gets_every_spare() -> None:
    assert plan(NUMPY, np.array([[0, 8, 0, 0]]), (8, 1, 1, 4)).logcnt.tolist() == [[1, 5, 1, 1]]
