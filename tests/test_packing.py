"""balanced_packing: full packs, the reference's packs, and what must not change them."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from libraries import NUMPY, Library, NumPyArray, every_library
from loads import counts, weights

from eplb_xp import balanced_packing

# layers, items, packs: also one pack, one item a pack (nothing is packed), no layers
SHAPES = [(4, 12, 3), (3, 24, 8), (2, 32, 4), (3, 7, 7), (2, 9, 1), (0, 6, 2)]
shapes = st.sampled_from(SHAPES)


@every_library
@given(data=st.data())
def test_packs_are_those_of_the_reference(library: Library, data: st.DataObject) -> None:
    layers, items, packs = data.draw(shapes)
    weight = data.draw(weights((layers, items), library.dtypes))
    pack_index, rank = library.run(balanced_packing, weight, num_packs=packs)
    expected = [reference.pack(load, packs) for load in reference.clean(weight)]
    expected = np.reshape(np.array(expected, np.int64), (layers, 2, items))
    np.testing.assert_array_equal(pack_index, expected[:, 0], strict=True)
    np.testing.assert_array_equal(rank, expected[:, 1], strict=True)


@every_library
@given(data=st.data())
def test_every_pack_is_full_and_none_is_far_above_another(library: Library, data: st.DataObject) -> None:
    layers, items, packs = data.draw(shapes)
    weight = data.draw(counts((layers, items)))
    pack_index, rank = library.run(balanced_packing, weight, num_packs=packs)
    slot = np.sort(pack_index * (items // packs) + rank, axis=1)
    np.testing.assert_array_equal(slot, np.broadcast_to(np.arange(items), slot.shape))
    # Where items are packed by load, two packs differ by one item at most.
    load = (weight[:, None] * (pack_index[:, None] == np.arange(packs)[:, None])).sum(axis=2)
    if items > packs:
        assert (load.max(axis=1) - load.min(axis=1) <= weight.max(axis=1)).all()


@every_library
@given(data=st.data())
def test_a_power_of_two_changes_nothing(library: Library, data: st.DataObject) -> None:
    layers, items, packs = data.draw(shapes)
    weight = data.draw(counts((layers, items), most=2**20))
    exponents = data.draw(st.lists(st.integers(-126, 107), min_size=layers, max_size=layers))
    scaled = np.ldexp(weight, np.reshape(exponents, (layers, 1)).astype(int))
    for one, other in zip(
        library.run(balanced_packing, weight, num_packs=packs),
        library.run(balanced_packing, scaled, num_packs=packs),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@every_library
@given(data=st.data())
def test_layers_do_not_touch_each_other(library: Library, data: st.DataObject) -> None:
    layers, items, packs = data.draw(shapes)
    one, other = data.draw(weights((layers, items))), data.draw(weights((layers, items)))
    odd = np.arange(layers)[:, None] % 2 == 1
    mixed = library.run(balanced_packing, np.where(odd, other, one), num_packs=packs)
    alone = library.run(balanced_packing, one, num_packs=packs), library.run(balanced_packing, other, num_packs=packs)
    for got, a, b in zip(mixed, *alone, strict=True):
        np.testing.assert_array_equal(got, np.where(odd, b, a))


def test_an_equal_load_goes_to_the_first_pack() -> None:
    weight = np.array([[5, 5, 3, 3, 2, 2]], dtype=np.float32)
    pack_index, rank = NUMPY.run(balanced_packing, weight, num_packs=2)
    assert pack_index.tolist() == [[0, 1, 0, 1, 0, 1]]
    assert rank.tolist() == [[0, 0, 1, 1, 2, 2]]


@pytest.mark.parametrize("weight", [np.array([[1.0, 2.0, 3.0]]), np.zeros((1, 3))])
def test_one_item_a_pack_stays_where_it_is(weight: NumPyArray) -> None:
    pack_index, rank = NUMPY.run(balanced_packing, weight, num_packs=3)
    assert pack_index.tolist() == [[0, 1, 2]]
    assert rank.tolist() == [[0, 0, 0]]
