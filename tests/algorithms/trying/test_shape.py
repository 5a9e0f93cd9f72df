"""How many candidates are tried, how often and how hard: the named policy's, and what sizes allow."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import POLICIES, Policy
from eplb_xp.algorithms.improving.finishing import most_steps
from eplb_xp.algorithms.trying.shape import FEWEST_STEPS, MOST_PARENTS, OFFSPRING, SMALL, Shape, shape_of

JOINT = POLICIES["joint"]


def shape_for(policy: Policy, num_packs: int, capacity: int, num_spares: int = 100) -> Shape:
    return shape_of(policy, num_packs=num_packs, capacity=capacity, num_spares=num_spares, most=num_packs)


@pytest.mark.parametrize(
    ("num_packs", "capacity", "generations", "steps", "refined"),
    [
        (8, 2, JOINT.generations, 0, JOINT.refined),
        (10, 3, JOINT.generations, FEWEST_STEPS, JOINT.refined),
        (8, 4, JOINT.generations, JOINT.finish // JOINT.generations, JOINT.refined // 2),
        (5, 6, JOINT.generations, JOINT.finish // JOINT.generations, JOINT.refined // 2),
        (SMALL // 2 + 1, 2, 1, 0, JOINT.refined + 1),
        (SMALL // 3 + 1, 3, 1, (SMALL // 3 + 1) * JOINT.shakes, 2 * JOINT.refined),
        (32, 9, 1, JOINT.finish, JOINT.refined),
    ],
)
def test_small_problems_have_more_generations_which_share_the_steps(
    num_packs: int, capacity: int, generations: int, steps: int, refined: int
) -> None:
    shape = shape_for(JOINT, num_packs, capacity)
    assert shape.alike == (capacity <= 5)
    assert (shape.generations, shape.finish, shape.refined) == (generations, steps, refined)
    assert shape.candidates == (2 if generations == 1 else OFFSPRING) * JOINT.levels
    assert (shape.parents, shape.end) == (min(refined, MOST_PARENTS), generations + 1)


def test_few_spares_have_few_levels() -> None:
    shape = shape_for(JOINT, 17, 2, num_spares=3)
    assert (shape.num_levels, shape.candidates, shape.refined, shape.parents) == (3, 6, 6, 6)
    assert shape_for(JOINT, 8, 2, num_spares=3).candidates == 3 * OFFSPRING
    assert shape_for(JOINT, 8, 2, num_spares=0).num_levels == 0
    assert shape_for(replace(JOINT, levels=2), 8, 2).num_levels == 2
    assert shape_for(replace(JOINT, refined=3), 8, 2).parents == 3


def test_what_is_shared_by_generations_is_no_more_than_there_is() -> None:
    assert shape_for(replace(JOINT, finish=5), 8, 4).finish == 5
    assert shape_for(replace(JOINT, finish=0), 8, 4).finish == 0
    assert shape_for(replace(JOINT, generations=2), 8, 4).finish == JOINT.finish // 2
    assert shape_for(replace(JOINT, refined=1), 8, 4).refined == 1


@given(
    policy=st.builds(
        Policy,
        finish=st.integers(0, 1000),
        shakes=st.integers(0, 20),
        levels=st.integers(0, 30),
        refined=st.integers(1, 50),
        generations=st.integers(1, 40),
    ),
    num_packs=st.integers(2, 100),
    capacity=st.integers(2, 20),
    num_spares=st.integers(0, 100),
)
def test_no_shape_asks_for_more_than_there_is(policy: Policy, num_packs: int, capacity: int, num_spares: int) -> None:
    shape = shape_for(policy, num_packs, capacity, num_spares)
    each = 2 if shape.generations == 1 else OFFSPRING
    assert 0 <= shape.parents <= shape.refined <= shape.candidates == each * min(policy.levels, num_spares)
    assert 1 <= shape.generations <= policy.generations
    most = most_steps(policy, num_packs, capacity)
    assert shape.finish <= most
    assert shape.generations * shape.finish <= max(most, shape.generations * FEWEST_STEPS)
