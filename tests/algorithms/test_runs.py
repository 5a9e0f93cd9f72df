"""Runs of items that belong together: beside lists."""

from itertools import accumulate, chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.rows import mixed_order
from eplb_xp.algorithms.runs import by_item, run_max, run_sum, run_until, runs_of
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import hashing
from tests.support.steps import run_step

OWNERS, ITEMS = 5, 9


def all_of(lib: Standard, owner: Array, values: Array, *, owners: int, longest: int) -> tuple[Array, ...]:
    """Everything that there is to know of runs; the values are in order of items."""
    runs = runs_of(lib, owner, owners)
    ordered = lib.take_along_axis(values, runs.order)
    most, total = run_max(lib, runs, ordered, longest), run_sum(lib, runs, ordered)
    return *runs, most, total, run_until(lib, runs, ordered), by_item(lib, runs, ordered)


def assert_runs(found: tuple[NumPyArray, ...], owner: NumPyArray, values: NumPyArray, owners: int) -> None:
    order, its_owner, first, length, most, total, until, again = found
    np.testing.assert_array_equal(again, values)
    for row, belongs in enumerate(owner.tolist()):
        runs = [[i for i, o in enumerate(belongs) if o == one] for one in range(owners)]
        assert order[row].tolist() == list(chain(*runs))
        assert its_owner[row].tolist() == sorted(belongs)
        assert length[row].tolist() == [len(run) for run in runs]
        assert first[row].tolist() == [sum(map(len, runs[:one])) for one in range(owners)]
        its = [[values[row, i] for i in run] for run in runs]
        assert total[row].tolist() == [sum(run) for run in its]
        assert until[row].tolist() == list(chain(*(accumulate(run) for run in its)))
        # An empty one has the value of the one behind it, as far as there is one.
        behind = [next((run for run in its[one:] if run), None) for one in range(owners)]
        for one, run in enumerate(behind):
            assert run is None or most[row, one] == max(run)


def drawn(data: st.DataObject, rows: int, items: int, owners: int) -> tuple[NumPyArray, NumPyArray]:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, owners, (rows, items)), rng.integers(-9, 10, (rows, items))


@every_library
@given(data=st.data())
def test_runs_are_those_of_lists(library: Library, data: st.DataObject) -> None:
    owner, values = drawn(data, 3, ITEMS, OWNERS)
    assert_runs(run_step(library, all_of, owner, values, owners=OWNERS, longest=ITEMS), owner, values, OWNERS)


@thorough
@given(data=st.data(), items=st.integers(1, 20), owners=st.integers(1, 8))
def test_runs_of_many_sizes(data: st.DataObject, items: int, owners: int) -> None:
    owner, values = drawn(data, 2, items, owners)
    longest = max(int(np.count_nonzero(row == one)) for row in owner for one in range(owners))
    assert_runs(all_of(LIBRARY, owner, values, owners=owners, longest=longest), owner, values, owners)


def test_an_order_that_looks_drawn() -> None:
    for number in (1, 2, 8, 257):
        found = mixed_order(LIBRARY, np.zeros((2, number)))
        assert found.tolist() == [hashing.mixed_order(number)] * 2
        assert sorted(found[0]) == list(range(number))
