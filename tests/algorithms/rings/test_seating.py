"""A slot for every item: where it is wanted, else where load is least."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.rings.seating import seated
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import thorough, weights
from tests.support.references import rings as reference
from tests.support.steps import run_step


def seat(lib: Standard, load: Array, wanted: Array, *, num_packs: int) -> Array:
    return seated(lib, load, wanted, num_packs)


def assert_seated(library: Library, load: NumPyArray, wanted: NumPyArray, packs: int) -> None:
    found = run_step(library, seat, load, wanted, num_packs=packs)
    for row, pack_of in enumerate(wanted.tolist()):
        want = reference.seated(load[row], [None if pack == packs else pack for pack in pack_of], packs)
        assert found[row].reshape(packs, -1).tolist() == want
        assert sorted(found[row]) == list(range(load.shape[1]))


@every_library
@given(data=st.data())
def test_items_are_where_the_reference_has_them(library: Library, data: st.DataObject) -> None:
    load = scaled(LIBRARY, data.draw(weights((3, 12)))).load
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    assert_seated(library, load, rng.integers(0, 5, (3, 12)), 4)


@thorough
@given(packs=st.integers(1, 6), capacity=st.integers(1, 5), data=st.data())
def test_items_of_many_sizes(packs: int, capacity: int, data: st.DataObject) -> None:
    load = scaled(LIBRARY, data.draw(weights((2, packs * capacity)))).load
    most = data.draw(st.integers(0, packs))
    wanted = data.draw(st.lists(st.integers(most, packs), min_size=packs * capacity, max_size=packs * capacity))
    assert_seated(NUMPY, load, np.array([wanted, wanted[::-1]]), packs)


def test_a_pack_takes_the_first_who_want_it_and_the_others_go_to_the_lightest() -> None:
    load = np.array([[1, 2, 3, 7, 5, 6]], np.float32)
    found = seated(LIBRARY, load, np.array([[0, 0, 0, 2, 3, 3]]), 3)
    assert found.tolist() == [[0, 1, 5, 2, 3, 4]]
