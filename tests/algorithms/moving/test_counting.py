"""How many slots move: differences of multisets."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.moving.counting import moved
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.libraries import NUMPY, Library, every_library
from tests.support.loads import thorough
from tests.support.moving import Change, changes
from tests.support.references import moving as reference
from tests.support.steps import run_step


def count(lib: Standard, phy2log: Array, previous: Array, *, num_gpus: int) -> Array:
    return lib.xp.count_nonzero(moved(lib, phy2log, previous, num_gpus), axis=(1, 2))


def assert_counted(library: Library, change: Change) -> None:
    phy2log, previous, gpus = change
    found = run_step(library, count, phy2log, previous, num_gpus=gpus)
    pairs = zip(phy2log.tolist(), previous.tolist(), strict=True)
    assert found.tolist() == [reference.moved(slots, before, gpus) for slots, before in pairs]


@every_library
@given(change=changes([(3, 4)]))
def test_slots_that_move(library: Library, change: Change) -> None:
    assert_counted(library, change)


@thorough
@given(data=st.data(), gpus=st.integers(1, 5), capacity=st.integers(1, 6))
def test_slots_that_move_of_many_sizes(data: st.DataObject, gpus: int, capacity: int) -> None:
    assert_counted(NUMPY, data.draw(changes([(gpus, capacity)])))


def test_a_second_copy_moves_unless_there_were_two() -> None:
    now = np.array([[1, 1, 2, 3], [1, 1, 2, 3], [1, 1, 2, 3]])
    before = np.array([[1, 0, 3, 2], [1, 1, 2, 3], [-1, -1, -1, -1]])
    assert count(LIBRARY, now, before, num_gpus=2).tolist() == [1, 0, 4]
