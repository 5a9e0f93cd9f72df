"""The assignment of most weight: permutations, optima by other means, and the same on every library."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.moving.assigning import assigned
from eplb_xp.algorithms.moving.copies import copies
from eplb_xp.algorithms.moving.overlaps import overlaps
from eplb_xp.backends.numpy import LIBRARY
from tests.support.counting import Counting
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.moving import drifted
from tests.support.steps import run_step


@st.composite
def weights(draw: st.DrawFn, agents: int, rows: int = 3) -> NumPyArray:
    """Rows of overlaps as GPUs have them, many equal and many 0, or of larger numbers."""
    most = st.sampled_from([0, 1, 2, 3, 9, 100, 10**5])
    tables = []
    for _ in range(rows):
        weight = st.integers(0, draw(most))
        tables.append(draw(st.lists(weight, min_size=agents**2, max_size=agents**2)))
    return np.reshape(np.array(tables, np.int64), (rows, agents, agents))


def totals(weight: NumPyArray, task: NumPyArray) -> list[int]:
    """The sum of weights of each row, of permutations."""
    agents = weight.shape[1]
    assert np.sort(task, axis=1).tolist() == [list(range(agents))] * len(weight)
    found: list[int] = np.take_along_axis(weight, task[:, :, None], axis=2).sum(axis=(1, 2)).tolist()
    return found


def largest(weight: NumPyArray) -> list[int]:
    """The largest sums that there are, by scipy."""
    optimize: Any = pytest.importorskip("scipy.optimize")
    return [int(table[optimize.linear_sum_assignment(table, maximize=True)].sum()) for table in weight]


@every_library
@given(weight=weights(5))
def test_sums_are_largest_and_assignments_the_same_everywhere(library: Library, weight: NumPyArray) -> None:
    task = run_step(library, assigned, weight)
    agents = range(5)
    every = np.array(list(permutations(agents)))
    assert totals(weight, task) == [table[agents, every].sum(axis=1).max() for table in weight]
    np.testing.assert_array_equal(task, assigned(LIBRARY, weight))


@thorough
@given(data=st.data(), agents=st.integers(1, 12))
def test_sums_are_those_of_scipy(data: st.DataObject, agents: int) -> None:
    weight = data.draw(weights(agents))
    assert totals(weight, assigned(LIBRARY, weight)) == largest(weight)


@every_library
@pytest.mark.parametrize(("replicas", "gpus"), [(288, 32), (320, 64), (384, 128)])
def test_overlaps_of_plans(library: Library, replicas: int, gpus: int) -> None:
    change = drifted((replicas, 1, 1, gpus), 2, 256)
    weight = overlaps(LIBRARY, *(copies(LIBRARY, plan, gpus) for plan in change[:2]))
    task = run_step(library, assigned, weight)
    assert totals(weight, task) == largest(weight)
    np.testing.assert_array_equal(task, assigned(LIBRARY, weight))


def test_tables_in_which_potentials_change_often() -> None:
    number = np.arange(24)
    hard = np.stack([np.multiply.outer(number, number), np.add.outer(number, number), np.minimum.outer(number, number)])
    assert totals(hard, assigned(LIBRARY, hard)) == largest(hard)


@pytest.mark.parametrize("agents", [1, 5, 8, 33])
def test_the_largest_weights(agents: int) -> None:
    most = -(-(2**28) // agents) - 1
    weight = np.random.default_rng(agents).choice([0, 1, most // 2, most - 1, most], (100, agents, agents))
    assert totals(weight, assigned(LIBRARY, weight.astype(np.int32))) == largest(weight)


@given(data=st.data())
def test_rows_do_not_touch_each_other(data: st.DataObject) -> None:
    weight = data.draw(weights(6, rows=4))
    together = assigned(LIBRARY, weight)
    for row in range(4):
        np.testing.assert_array_equal(assigned(LIBRARY, weight[row : row + 1]), together[row : row + 1])


def test_equal_tasks_leave_all_as_they_are() -> None:
    for agents in (1, 2, 5, 8):
        assert assigned(LIBRARY, np.full((1, agents, agents), 3)).tolist() == [list(range(agents))]


def test_rounds_are_few_where_weights_are_small() -> None:
    rng = np.random.default_rng(0)
    for agents in (32, 64, 128):
        library = Counting()
        assigned(library, rng.integers(0, 4, (8, agents, agents)))
        assert sum(library.rounds) <= 40
    assert run_step(NUMPY, assigned, np.zeros((1, 1, 1), np.int64)).tolist() == [[0]]
