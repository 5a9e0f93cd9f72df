"""Loads on their way in: float32, clean, scaled by an exact power of two."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.scaling import Scaled, scaled
from eplb_xp.backends import library_of
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import LARGEST, SMALLEST_LOAD, every_family, weights
from tests.support.references import plan as reference

SHAPE = (3, 6)
BAD = (np.nan, np.inf, -np.inf, -1.0, -0.0, -1e-40, 1e-40, np.nextafter(np.float32(SMALLEST_LOAD), np.float32(0)))


def scale(weight: Any) -> Scaled:
    return scaled(library_of("weight", weight), weight)


def assert_scaled(got: Scaled, weight: NumPyArray) -> None:
    np.testing.assert_array_equal(got.load, reference.clean(weight), strict=True)
    assert not np.signbit(got.load).any()
    top = got.load.max(axis=1)
    assert ((top == 0) | ((top >= 1) & (top < 2))).all()
    # The unit is a power of two, and with it every load that still counts is what it was.
    assert (np.frexp(got.unit)[0] == 0.5).all()
    kept = got.load > 0
    np.testing.assert_array_equal((got.load * got.unit)[kept], weight.astype(np.float32)[kept])


@every_library
@given(data=st.data())
def test_the_largest_load_of_a_layer_becomes_one_to_two(library: Library, data: st.DataObject) -> None:
    weight = data.draw(weights(SHAPE, library.dtypes))
    assert_scaled(library.run(scale, weight), weight)


@every_library
@given(data=st.data())
def test_bad_loads_count_as_zero(library: Library, data: st.DataObject) -> None:
    weight = data.draw(weights(SHAPE))
    bad = data.draw(st.lists(st.sampled_from([None, *BAD]), min_size=weight.size, max_size=weight.size))
    for place, value in enumerate(bad):
        if value is not None:
            weight.flat[place] = value
    assert_scaled(library.run(scale, weight), weight)


@every_library
def test_every_family_of_loads(library: Library) -> None:
    weight = every_family(6)
    assert_scaled(library.run(scale, weight), weight)


@every_library
def test_every_power_of_two(library: Library) -> None:
    weight = np.ldexp(np.float32(1), np.arange(-125, 128))[:, None] * np.array([1, 1.5], np.float32)
    got = library.run(scale, weight)
    assert_scaled(got, weight)
    np.testing.assert_array_equal(got.unit, np.ldexp(np.float32(1), np.arange(-125, 128))[:, None])


def test_the_smallest_share_of_a_layer_that_counts() -> None:
    weight = np.array([[1.9, 2.0**-60, np.nextafter(np.float32(2.0**-60), np.float32(0))]], np.float32)
    assert (NUMPY.run(scale, weight).load > 0).tolist() == [[True, True, False]]


def test_the_largest_float32() -> None:
    got = NUMPY.run(scale, np.array([[LARGEST, LARGEST / 2]], np.float32))
    np.testing.assert_array_equal(got.load, [[2 - 2.0**-23, 1 - 2.0**-24]])
