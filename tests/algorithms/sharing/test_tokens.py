"""Loads as whole tokens: of any dtype, too many, in fractions, and no loads at all."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.sharing.tokens import MOST_TOKENS, whole_tokens
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.loads import FAMILIES, batch, thorough, weights
from tests.support.references import sharing as reference
from tests.support.steps import run_step

EXPERTS = 6
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "bfloat16", "float32", "float64")


def assert_whole(found: NumPyArray, weight: NumPyArray) -> None:
    assert found.tolist() == [reference.whole_tokens(load) for load in weight]
    assert found.min() >= 0
    assert found.sum(axis=1, dtype=np.int64).max() <= MOST_TOKENS


@every_library
@given(data=st.data())
def test_tokens_are_those_of_the_reference(library: Library, data: st.DataObject) -> None:
    weight = data.draw(weights((4, EXPERTS)))
    assert_whole(run_step(library, whole_tokens, weight), weight)


@every_library
@given(data=st.data())
def test_integers_are_halved_until_they_fit(library: Library, data: st.DataObject) -> None:
    largest = data.draw(st.sampled_from([9, 2**28, 2**30, 2**31 - 1]))
    row = st.lists(st.integers(-largest, largest), min_size=EXPERTS, max_size=EXPERTS)
    weight = np.array([data.draw(row) for _ in range(4)], np.int32)
    assert_whole(run_step(library, whole_tokens, weight), weight)


@thorough
@given(data=st.data(), name=st.sampled_from(INTEGERS))
def test_integers_of_every_size(data: st.DataObject, name: str) -> None:
    info = np.iinfo(name)
    one = st.one_of(st.integers(info.min, info.max), st.integers(0, 3), st.sampled_from([info.min, info.max]))
    weight = np.array([data.draw(st.lists(one, min_size=EXPERTS, max_size=EXPERTS)) for _ in range(2)], name)
    assert_whole(whole_tokens(LIBRARY, weight), weight)


@thorough
@given(data=st.data(), name=st.sampled_from(FLOATS))
def test_floats_of_every_size(data: st.DataObject, name: str) -> None:
    dtype = getattr(ml_dtypes, name) if name == "bfloat16" else np.dtype(name)
    weight = data.draw(weights((2, EXPERTS))).astype(np.float64)
    weight = np.clip(weight, 0, float(ml_dtypes.finfo(dtype).max)).astype(dtype)
    assert_whole(whole_tokens(LIBRARY, weight), weight)


@given(data=st.data(), name=st.sampled_from(FLOATS))
def test_whole_numbers_are_tokens_whatever_their_dtype(data: st.DataObject, name: str) -> None:
    counts = np.array(data.draw(st.lists(st.integers(0, 256), min_size=EXPERTS, max_size=EXPERTS)))[None]
    dtype = getattr(ml_dtypes, name) if name == "bfloat16" else np.dtype(name)
    np.testing.assert_array_equal(whole_tokens(LIBRARY, counts.astype(dtype)), counts)


@pytest.mark.parametrize("experts", [1, 2, 3, 4, 5, 255, 256, 257])
def test_the_largest_of_fractions_has_as_many_bits_as_fit(experts: int) -> None:
    weight = np.full((1, experts), 0.75, np.float32)
    found = whole_tokens(LIBRARY, weight)
    power = 1 << (experts - 1).bit_length()
    assert (found == 2**28 // power * 3 // 2).all()
    weight[0, -1] = 1e-6
    assert found[0, -1] * 1e-6 / 0.75 - 1 <= whole_tokens(LIBRARY, weight)[0, -1] <= found[0, -1]


@pytest.mark.parametrize("family", FAMILIES)
def test_families_of_loads(family: str) -> None:
    weight = batch(family, 1, 8, 40)
    assert_whole(whole_tokens(LIBRARY, weight), weight)


def test_what_is_no_load_has_no_tokens() -> None:
    weight = np.array([[np.nan, -1, np.inf, -np.inf, 7], [np.nan, -0.5, np.inf, -0.0, 0.5]], np.float32)
    assert whole_tokens(LIBRARY, weight).tolist() == [[0, 0, 0, 0, 7], [0, 0, 0, 0, 2**25]]


def test_the_most_that_fits_is_as_it_is_and_one_more_is_halved() -> None:
    most = np.array([[MOST_TOKENS - 3, 1, 2], [MOST_TOKENS - 3, 1, 3]])
    assert whole_tokens(LIBRARY, most).tolist() == [[MOST_TOKENS - 3, 1, 2], [2**29 - 2, 0, 1]]
    floats = np.array([[2.0**30 - 64, 63, 0], [2.0**30 - 64, 64, 0], [2.0**30, 0, 0]], np.float32)
    assert whole_tokens(LIBRARY, floats).tolist() == [[2**30 - 64, 63, 0], [2**27 - 8, 8, 0], [2**26, 0, 0]]
