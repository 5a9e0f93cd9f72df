"""balanced_packing: full packs, the reference's packs, and what must not change them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import balanced_packing
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import counts, every_family, powers_of_two, thorough, weights
from tests.support.references import plan as reference

# layers, items, packs: also one pack, one item a pack (nothing is packed), no layers
LAYERS, ITEMS, PACKS = SHAPE = (4, 12, 3)
SHAPES = [SHAPE, (3, 24, 8), (2, 32, 4), (3, 7, 7), (2, 9, 1), (0, 6, 2)]


def assert_packs(library: Library, weight: NumPyArray, packs: int) -> None:
    """All packs are full, and those of the reference."""
    layers, items = weight.shape
    pack_index, rank = library.run(balanced_packing, weight, num_packs=packs)
    slot = np.sort(pack_index * (items // packs) + rank, axis=1)
    np.testing.assert_array_equal(slot, np.broadcast_to(np.arange(items), slot.shape))
    packed = [reference.pack(load, packs) for load in reference.clean(weight)]
    expected = np.reshape(np.array(packed, np.int64), (layers, 2, items))
    np.testing.assert_array_equal(pack_index, expected[:, 0], strict=True)
    np.testing.assert_array_equal(rank, expected[:, 1], strict=True)


@every_library
@given(data=st.data())
def test_packs_are_those_of_the_reference(library: Library, data: st.DataObject) -> None:
    layers, items, packs = data.draw(st.sampled_from(SHAPES))
    assert_packs(library, data.draw(weights((layers, items))), packs)


@every_library
def test_packs_of_every_family_of_loads(library: Library) -> None:
    assert_packs(library, every_family(32), 4)


@thorough
@given(data=st.data())
def test_packs_of_many_sizes(data: st.DataObject) -> None:
    packs, capacity = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 12))
    assert_packs(NUMPY, data.draw(weights((2, packs * capacity))), packs)


@every_library
@given(weight=counts((LAYERS, ITEMS)))
def test_two_packs_differ_by_one_item_at_most(library: Library, weight: NumPyArray) -> None:
    pack_index, _ = library.run(balanced_packing, weight, num_packs=PACKS)
    load = np.where(pack_index[:, None] == np.arange(PACKS)[:, None], weight[:, None], 0).sum(axis=2)
    assert (load.max(axis=1) - load.min(axis=1) <= weight.max(axis=1)).all()


@every_library
@given(weight=counts((LAYERS, ITEMS)), power=powers_of_two(LAYERS))
def test_a_power_of_two_changes_nothing(library: Library, weight: NumPyArray, power: NumPyArray) -> None:
    one = library.run(balanced_packing, weight, num_packs=PACKS)
    other = library.run(balanced_packing, weight * power, num_packs=PACKS)
    np.testing.assert_array_equal(one, other)


@every_library
@given(one=weights((LAYERS, ITEMS)), other=weights((LAYERS, ITEMS)))
def test_layers_do_not_touch_each_other(library: Library, one: NumPyArray, other: NumPyArray) -> None:
    odd = np.arange(LAYERS)[:, None] % 2 == 1
    mixed, ones, others = (
        library.run(balanced_packing, weight, num_packs=PACKS) for weight in (np.where(odd, other, one), one, other)
    )
    np.testing.assert_array_equal(mixed, np.where(odd, others, ones))


def test_an_equal_load_goes_to_the_first_pack() -> None:
    pack_index, rank = NUMPY.run(balanced_packing, np.array([[5, 5, 3, 3, 2, 2]]), num_packs=2)
    assert pack_index.tolist() == [[0, 1, 0, 1, 0, 1]]
    assert rank.tolist() == [[0, 0, 1, 1, 2, 2]]


def test_items_without_load_fill_the_lightest_pack_first() -> None:
    pack_index, rank = NUMPY.run(balanced_packing, np.array([[0, 0, 5, 3, 0, 0]]), num_packs=2)
    assert pack_index.tolist() == [[1, 1, 0, 1, 0, 0]]
    assert rank.tolist() == [[1, 2, 0, 0, 1, 2]]


def test_one_item_a_pack_stays_where_it_is() -> None:
    pack_index, rank = NUMPY.run(balanced_packing, np.array([[1, 2, 3]]), num_packs=3)
    assert pack_index.tolist() == [[0, 1, 2]]
    assert rank.tolist() == [[0, 0, 0]]
