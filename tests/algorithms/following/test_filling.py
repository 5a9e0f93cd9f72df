"""Empty slots: experts that are nowhere go in first, then replicas within the budget, then copies of a GPU's own."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Policy, rebalance_experts
from tests.support.following import Case, cases, follow
from tests.support.references.moving import by_gpu, moved

GLOBAL, NODES = (12, 1, 1, 4), (12, 4, 2, 4)
LIGHT = Policy(rounds=0)


def filled(previous: list[int], weight: list[float], budget: int, gpus: int, min_gain: float = 0.0) -> list[int]:
    """One layer."""
    plan = rebalance_experts(
        np.array([weight]),
        *(len(previous), 1, 1, gpus),
        previous=np.array([previous]),
        max_moves=budget,
        min_gain=min_gain,
    )
    found: list[int] = plan.phy2log[0].tolist()
    return found


@given(data=st.data(), sizes=st.sampled_from([GLOBAL, NODES]))
def test_only_what_must_goes_in_without_a_budget(data: st.DataObject, sizes: tuple[int, int, int, int]) -> None:
    case = data.draw(cases((2, 1, 8), sizes))
    case = case._replace(budget=np.zeros(2, np.int32))
    for slots, previous in zip(follow(case, sizes, policy=LIGHT).phy2log.tolist(), case.previous.tolist(), strict=True):
        missing = set(range(8)) - set(previous)
        for now, before in zip(by_gpu(slots, 4), by_gpu(previous, 4), strict=True):
            stays = [a == b for a, b in zip(now, before, strict=True)]
            if -1 not in before:
                continue
            assert all(same or expert < 0 for same, expert in zip(stays, before, strict=True))
            comes = Counter(now) - Counter(before)
            strange = [expert for expert in comes if expert not in before and expert not in missing]
            # A GPU without any gets what it can copy then.
            assert len(strange) <= (set(before) == {-1})


@given(data=st.data(), sizes=st.sampled_from([GLOBAL, NODES]), gain=st.sampled_from([0.0, 0.5]))
def test_no_more_goes_in_than_the_budget_has(
    data: st.DataObject, sizes: tuple[int, int, int, int], gain: float
) -> None:
    case: Case = data.draw(cases((2, 1, 8), sizes))
    made = follow(case, sizes, policy=LIGHT, min_gain=gain).phy2log
    for slots, previous, budget in zip(made.tolist(), case.previous.tolist(), case.budget.tolist(), strict=True):
        assert set(slots) == set(range(8))
        empty = [gpu for gpu in by_gpu(previous, 4) if set(gpu) == {-1}]
        own = 0
        for now, before in zip(by_gpu(slots, 4), by_gpu(previous, 4), strict=True):
            comes = Counter(now) - Counter(before)
            own += sum(number - (expert not in before) for expert, number in comes.items())
        missing = set(range(8)) - set(previous)
        assert moved(slots, previous, 4) <= budget + len(missing) + own + len(empty)


def test_missing_experts_go_in_first_whatever_budget_and_gain_say() -> None:
    weight = [9.0, 1, 1, 1, 5, 6]
    # 5 is heavier than 4, and the second GPU lighter than the first.
    for budget in (0, 1):
        assert filled([0, 1, -1, 2, 3, -1], weight, budget, 2, min_gain=1.0) == [0, 1, 4, 2, 3, 5]


def test_a_missing_expert_takes_the_place_of_the_lightest_replica_that_has_others() -> None:
    assert filled([0, 1, 2, 0, 1, 2], [8.0, 2, 6, 1], 0, 2) == [0, 3, 2, 0, 1, 2]


def test_empty_slots_are_filled_within_the_budget_and_then_by_copies() -> None:
    weight, previous = [8.0, 2, 6, 1], [0, 1, -1, 2, 3, -1]
    assert filled(previous, weight, 0, 2) == [0, 1, 1, 2, 3, 3]
    # The second GPU is the lighter one, and 0 the heaviest that it hasn't; no step gains all.
    assert filled(previous, weight, 1, 2, min_gain=1.0) == [0, 1, 1, 2, 3, 0]
    assert filled(previous, weight, 2, 2, min_gain=1.0) == [0, 1, 2, 2, 3, 0]
    # That replica is better replaced: a copy of 1 takes its place, which costs no more.
    assert filled(previous, weight, 1, 2) == [0, 1, 1, 2, 3, 1]


def test_gpus_without_any_expert_get_some_all_the_same() -> None:
    assert filled([0, 1, 2, 3, -1, -1], [4.0, 3, 2, 1], 0, 3) == [0, 1, 2, 3, 0, 0]
    assert sorted(filled([-1] * 6, [4.0, 3, 2, 1], 0, 3)) == [0, 0, 1, 1, 2, 3]
