"""What every plan within a budget keeps to, on every library, whatever the previous one is."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from eplb_xp import POLICIES, Plan, Policy, rebalance_experts
from eplb_xp.algorithms.following import follow as following
from eplb_xp.backends import library_of
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.following import MOST_MOVES, as_budget
from eplb_xp.sizes import Sizes
from tests.support.following import NEAR, Case, assert_follows, assert_maps, busiest, cases, follow, placement, renewed
from tests.support.libraries import LIBRARIES, NUMPY, Library, NumPyArray, every_library, over
from tests.support.loads import weights
from tests.support.plans import assert_same
from tests.support.references.beginning import begun, kept, loads_of_layers, nodes_of_experts, rules_of
from tests.support.references.moving import moved
from tests.support.rounds import Rounds

# array-api-strict takes a third of a second for a plan, of however many layers.
few = settings(max_examples=2)
some = settings(max_examples=max(settings().max_examples // 3, 3))
many = settings(max_examples=3 * settings().max_examples)

# Without swaps, so that XLA has little to compile for fresh plans; unlike greedy's, in these no replicas are doubled.
LIGHT = Policy(rounds=0)

HIERARCHICAL, CAP = (12, 4, 2, 4), 3
GLOBAL = (12, 1, 1, 4)
SHAPES = {"one node": (GLOBAL, None), "capped": (GLOBAL, 2), "nodes": (HIERARCHICAL, None), "both": (HIERARCHICAL, CAP)}


@every_library
@few
@given(case=cases((8, 1, 8), HIERARCHICAL, CAP))
def test_plans_within_budgets_that_are_arrays(library: Library, case: Case) -> None:
    made = follow(case, HIERARCHICAL, library, cap=CAP, policy=LIGHT)
    assert_follows(made, case, HIERARCHICAL, CAP)
    assert_same(made, follow(case, HIERARCHICAL, cap=CAP, policy=LIGHT))


@every_library
@few
@given(case=cases((6, 2, 8), GLOBAL))
def test_plans_within_a_number_of_moves_for_samples(library: Library, case: Case) -> None:
    case = case._replace(budget=np.full(6, 2, np.int32))
    options: dict[str, Any] = {"sizes": GLOBAL, "max_moves": 2, "min_gain": 0.01}
    made = library.run(renewed, case.previous, case.weight, **options)
    assert_follows(made, case, GLOBAL)
    assert_same(made, NUMPY.run(renewed, case.previous, case.weight, **options))


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(("sizes", "cap"), SHAPES.values(), ids=SHAPES)
@some
@given(data=st.data())
def test_plans_of_every_shape(sizes: tuple[int, int, int, int], cap: int | None, samples: int, data: Any) -> None:
    case = data.draw(cases((4, samples, 8), sizes, cap, most_moves=12))
    policy = data.draw(st.sampled_from(["swap", "ring"]))
    assert_follows(follow(case, sizes, policy=policy, cap=cap or 0), case, sizes, cap)


@many
@given(data=st.data())
def test_plans_of_many_sizes(data: st.DataObject) -> None:
    nodes, of_node, capacity = (data.draw(st.integers(1, 3)) for _ in range(3))
    gpus = nodes * of_node
    experts = nodes * data.draw(st.integers(1, of_node * capacity))
    sizes = gpus * capacity, nodes, nodes, gpus
    cap = data.draw(st.sampled_from([None, -(-sizes[0] // experts)]))
    case = data.draw(cases((2, 1, experts), sizes, cap))
    assert_follows(follow(case, sizes, policy="swap", cap=cap or 0), case, sizes, cap)


# Where values aren't read, a previous plan may hold anything.
BLIND = [library for library in LIBRARIES if not library.reads_values and library.name != "torch-cuda"]


@over(BLIND)
@few
@given(data=st.data())
def test_previous_plans_that_are_not_read(library: Library, data: st.DataObject) -> None:
    case = data.draw(cases((8, 1, 8), HIERARCHICAL, CAP))
    case = case._replace(previous=any_slots(data.draw(st.integers(0, 2**32 - 1)), (8, 12)))
    made = follow(case, HIERARCHICAL, library, cap=CAP, policy=LIGHT)
    assert_follows(made, case._replace(previous=valid(case)), HIERARCHICAL, CAP)


def any_slots(seed: int, shape: tuple[int, int]) -> NumPyArray:
    """Slots with anything in them: no expert's number, none at all, one expert everywhere, groups on both nodes."""
    rng = np.random.default_rng(seed)
    slots = rng.integers(0, 8, shape)
    wild = rng.choice([-(2**31), -7, -1, 8, 9, 2**31 - 1], shape)
    slots = np.where(rng.random(shape) < rng.choice([0.0, 0.2, 1.0], (shape[0], 1)), wild, slots)
    slots[0], slots[1] = -1, 5
    return slots.astype(np.int32)


def valid(case: Case) -> NumPyArray:
    """What the reference keeps of previous plans."""
    rules = rules_of(case.weight, HIERARCHICAL, CAP)
    rows = [kept(slots, nodes_of_experts(slots, rules), rules) for slots in case.previous.tolist()]
    return np.array(rows, np.int32)


@some
@given(seed=st.integers(0, 2**32 - 1), weight=weights((6, 8)))
def test_what_of_slots_with_anything_in_them_is_kept(seed: int, weight: NumPyArray) -> None:
    case = Case(any_slots(seed, (6, 12)), np.full(6, 2), weight[:, None, :])
    step = {"sizes": Sizes(*HIERARCHICAL, CAP), "policy": POLICIES["swap"], "divides": True} | NEAR
    none = np.zeros((6, 1), np.float32)
    unread = LIBRARY.call(following.follow, case.previous, case.budget[:, None], none, case.weight, **step)
    case = case._replace(previous=valid(case))
    assert_same(unread, follow(case, HIERARCHICAL, cap=CAP, policy="swap"))


@settings(max_examples=5)
@given(case=cases((8, 2, 8), GLOBAL))
def test_a_least_gain(case: Case) -> None:
    rules, layers = rules_of(case.weight, GLOBAL), range(8)
    loads = loads_of_layers(case.samples)
    start = [begun(case.previous[i].tolist(), loads[i], int(case.budget[i]), rules).slots for i in layers]
    best = follow(case, GLOBAL, policy=LIGHT)
    before, after = (busiest(slots, case, 4) for slots in (np.array(start), best.phy2log))
    for least in (0.001, 0.05, 0.3):
        made = follow(case, GLOBAL, policy=LIGHT, min_gain=least)
        for i in layers:
            gain = 1 - after[i] / before[i] if before[i] else 0
            if abs(gain - least) > 1e-4:
                want = best.phy2log[i].tolist() if gain > least else start[i]
                assert made.phy2log[i].tolist() == want
    nothing = follow(case, GLOBAL, policy=LIGHT, min_gain=1.0)
    assert nothing.phy2log.tolist() == start
    assert_maps(nothing, 8, 5)


def test_numbers_and_arrays_say_the_same_of_moves_and_gains() -> None:
    rng = np.random.default_rng(0)
    rules = rules_of(np.ones((1, 8)), GLOBAL)
    previous = np.array([placement(rng, rules) for _ in range(15)])
    weight = rng.lognormal(0, 1, (15, 8))

    def made(max_moves: Any, min_gain: Any) -> Plan[NumPyArray]:
        return rebalance_experts(
            weight, *GLOBAL, policy=LIGHT, previous=previous, max_moves=max_moves, min_gain=min_gain
        )

    for budget in (0, 2, 3, 12):
        assert_same(made(np.array(budget), np.array(0.02)), made(budget, 0.02))
        assert_same(made(np.full(15, budget, np.uint8), np.float32(0.02)), made(np.int16(budget), 0.02))


@pytest.mark.parametrize("name", ["numpy", "strict", "torch", "jax"])
def test_any_number_of_moves_is_taken(name: str) -> None:
    for library in [each for each in LIBRARIES if each.name == name]:
        weight = library.asarray(np.ones((2, 1, 8), np.float32))
        for number in (3, 2**31, 10**30):
            budget = library.values(as_budget(library_of("weight", weight), "max_moves", number, weight))
            assert (budget == min(number, MOST_MOVES)).all()


@pytest.mark.parametrize("policy", ["greedy", "joint", "ring"])
@settings(max_examples=8)
@given(data=st.data())
def test_loads_that_did_not_change_move_nothing(policy: str, data: st.DataObject) -> None:
    sizes = data.draw(st.sampled_from([GLOBAL, HIERARCHICAL]))
    weight = data.draw(weights((4, 8)))
    plan = rebalance_experts(weight, *sizes, policy=policy)
    again = rebalance_experts(weight, *sizes, policy=policy, previous=plan)
    np.testing.assert_array_equal(again.phy2log, plan.phy2log)
    # Steps end: once none helps, none is made.
    for _ in range(8):
        before, plan = plan, rebalance_experts(weight, *sizes, policy=policy, previous=plan, max_moves=2)
        if np.array_equal(before.phy2log, plan.phy2log):
            break
    np.testing.assert_array_equal(before.phy2log, plan.phy2log)


def test_even_loads_move_nothing() -> None:
    rng = np.random.default_rng(0)
    rules = rules_of(np.ones((1, 8)), (8, 1, 1, 4))
    previous = np.array([placement(rng, rules) for _ in range(5)])
    made = rebalance_experts(np.full((5, 8), 3.0), 8, 1, 1, 4, previous=previous, max_moves=8)
    np.testing.assert_array_equal(made.phy2log, previous)


@every_library
def test_no_layers(library: Library) -> None:
    case = Case(np.zeros((0, 12), np.int32), np.zeros(0, np.int32), np.zeros((0, 1, 8), np.float32))
    made = follow(case, GLOBAL, library, policy="greedy")
    assert isinstance(made, Plan)
    assert [x.shape for x in made] == [(0, 12), (0, 8, 5), (0, 8)]


def test_layers_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(0)
    rules = rules_of(np.ones((1, 16)), (24, 1, 1, 4))
    previous = np.array([placement(rng, rules) for _ in range(40)])
    weight = rng.lognormal(0, 1, (2, 40, 16)).astype(np.float32)
    budget = rng.integers(0, 9, 40)
    together = rebalance_experts(weight, 24, 1, 1, 4, policy="swap", previous=previous, max_moves=budget)
    assert sum(moved(*pair, 4) for pair in zip(together.phy2log.tolist(), previous.tolist(), strict=True)) > 40
    for i in range(0, 40, 7):
        one = slice(i, i + 1)
        alone = rebalance_experts(
            weight[:, one], 24, 1, 1, 4, policy="swap", previous=previous[one], max_moves=budget[one]
        )
        assert_same(alone, Plan(*(x[one] for x in together)))


def test_no_fresh_plan_is_taken_where_few_may_move() -> None:
    # What is planned for no load is one move away here, and would be better than what steps find.
    previous = np.repeat(rebalance_experts(np.zeros((1, 4)), 8, 1, 1, 2, policy=LIGHT).phy2log, 200, axis=0)
    rng = np.random.default_rng(0)
    previous[np.arange(200), rng.integers(0, 8, 200)] = rng.integers(0, 4, 200)
    weight = rng.lognormal(0, 2, (200, 4)).astype(np.float32)
    options: dict[str, Any] = {"policy": LIGHT, "previous": previous}
    one = rebalance_experts(weight, 8, 1, 1, 2, max_moves=1, **options)
    assert_same(one, rebalance_experts(weight, 8, 1, 1, 2, max_moves=np.array(1), **options))


class RoundsUnderJit(Rounds):
    """By the program that JAX has for `test_plans_within_budgets_that_are_arrays`."""

    layers, samples = 8, 1
    sizes, cap, policy = HIERARCHICAL, CAP, LIGHT

    @rule()
    def another_gain(self) -> None:
        pass


BY_NAME = {library.name: library for library in LIBRARIES}
if "jax-jit" in BY_NAME:
    RoundsUnderJit.library = BY_NAME["jax-jit"]
    TestRoundsUnderJit = RoundsUnderJit.TestCase
    TestRoundsUnderJit.settings = settings(max_examples=3, stateful_step_count=15)
