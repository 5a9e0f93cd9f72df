"""Which counts have been improved, and whose offspring comes next."""

import numpy as np
import pytest

from eplb_xp import Policy
from eplb_xp.algorithms.counts.candidates import fingerprints
from eplb_xp.algorithms.counts.offspring import Parents
from eplb_xp.algorithms.counts.spares import Spares
from eplb_xp.algorithms.trying.family import Family, founded, grown
from eplb_xp.algorithms.trying.shape import Shape, shape_of
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NumPyArray

ROWS, LEVELS, GENERATIONS = 3, 2, 3
SPARES = Spares(
    np.array([[0, 0], [0, 1], [2, 1]]), np.array([[1, 2], [1, 1], [1, 1]]), np.array([[3, 1, 1], [2, 2, 1], [1, 2, 2]])
)


def shape(*, alike: bool = False, generations: int = GENERATIONS) -> Shape:
    """Four candidates in each generation, two of them refined and so two parents."""
    policy = Policy(levels=LEVELS, refined=1 if alike else 2, generations=generations)
    return shape_of(policy, num_packs=2, capacity=3 if alike else 6, num_spares=LEVELS, most=3)


def born(first_mark: int, number: list[int]) -> Family:
    """Marks from a first one on, and parents that can be told apart by it."""
    marks = first_mark + np.arange(ROWS * 2).reshape(ROWS, -1)
    return Family(marks, Parents(np.full((ROWS, 2, 2), first_mark), np.full((ROWS, 2, 3), first_mark), column(*number)))


def column(*values: int | bool) -> NumPyArray:
    return np.array(values)[:, None]


def seen(family: Family) -> list[set[int]]:
    """All that has been tried in each row."""
    return [set(row) - {-1} for row in family.seen.tolist()]


@pytest.mark.parametrize("alike", [False, True])
def test_dhondt_s_counts_are_the_only_parent_and_tried_unless_they_are_a_candidate(alike: bool) -> None:
    family = founded(LIBRARY, SPARES, shape(alike=alike))
    assert family.parents.number.tolist() == [[1]] * ROWS
    np.testing.assert_array_equal(family.parents.spare[:, 0], SPARES.expert)
    np.testing.assert_array_equal(family.parents.count[:, 0], SPARES.count)
    marks = fingerprints(LIBRARY, SPARES.count)[:, 0].tolist()
    assert seen(family) == [set() if alike else {mark} for mark in marks]


def test_a_single_generation_has_no_offspring_and_needs_no_parents() -> None:
    family = founded(LIBRARY, SPARES, shape(generations=1))
    np.testing.assert_array_equal(family.seen, fingerprints(LIBRARY, SPARES.count))
    assert family.parents.spare.shape == (ROWS, 1, 0)
    assert family.parents.count.shape == (ROWS, 1, 0)


def test_rows_grow_by_what_is_born_in_their_generation() -> None:
    before = founded(LIBRARY, SPARES, shape())
    of_dhondt = seen(before)
    one = grown(LIBRARY, before, born(100, [2, 1, 2]), column(1, 1, 1), column(True, True, False))
    assert seen(one) == [of_dhondt[0] | set(range(100, 102)), of_dhondt[1] | set(range(102, 104)), of_dhondt[2]]
    assert one.parents.number.tolist() == [[2], [1], [1]]
    assert one.parents.count[:, 0, 0].tolist() == [100, 100, SPARES.count[2, 0]]
    # The rows are in different generations; the second one has no parents, so those before stay.
    two = grown(LIBRARY, one, born(200, [1, 0, 2]), column(2, 2, 1), column(True, True, True))
    assert seen(two)[0] == seen(one)[0] | set(range(200, 202))
    assert seen(two)[1] == seen(one)[1] | set(range(202, 204))
    assert seen(two)[2] == of_dhondt[2] | set(range(204, 206))
    assert two.parents.number.tolist() == [[1], [1], [2]]
    assert two.parents.spare[:, 1, 1].tolist() == [200, 100, 200]
    assert two.parents.count[:, 1, 2].tolist() == [200, 100, 200]
