"""Which counts have been tried: fingerprints, and what is new."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.counts.candidates import are_new, fingerprints
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.references.hashing import hashed
from tests.support.steps import run_step

ROWS, EXPERTS, CANDIDATES, SEEN = 3, 6, 5, 4


def drawn_counts(shape: tuple[int, ...], most: int) -> st.SearchStrategy[NumPyArray]:
    size = int(np.prod(shape))
    return st.lists(st.integers(1, most), min_size=size, max_size=size).map(lambda x: np.reshape(x, shape))


def new(lib: Standard, count: Array, before: Array) -> Array:
    """Whether the counts of each row [rows, candidates, experts] are new, after some before: [rows, candidates]."""
    marks, seen = (
        lib.xp.reshape(fingerprints(lib, lib.xp.reshape(x, (-1, x.shape[-1]))), x.shape[:2]) for x in (count, before)
    )
    return lib.xp.astype(are_new(lib, marks, seen), lib.index_dtype)


@every_library
@given(count=drawn_counts((ROWS, EXPERTS), 4096))
def test_a_fingerprint_is_the_same_on_every_library(library: Library, count: NumPyArray) -> None:
    got = run_step(library, fingerprints, count)
    want = [[sum(n * hashed(hashed(expert + 1)) for expert, n in enumerate(row)) % 2**31] for row in count.tolist()]
    assert got.tolist() == want


def all_counts(experts: int, spares: int) -> NumPyArray:
    """All counts with so many spares: [number, experts]."""
    owners = np.array(list(combinations_with_replacement(range(experts), spares)))
    counts: NumPyArray = 1 + (owners[:, :, None] == np.arange(experts)).sum(axis=1)
    return counts


# By chance one pair in 2^31 has the same.
@pytest.mark.parametrize(("experts", "spares"), [(6, 8), (8, 5), (12, 5), (300, 1)])
def test_different_counts_have_different_fingerprints(experts: int, spares: int) -> None:
    marks = fingerprints(LIBRARY, all_counts(experts, spares))
    assert len(np.unique(marks)) == len(marks)


@every_library
@given(count=drawn_counts((ROWS, CANDIDATES, EXPERTS), 2), before=drawn_counts((ROWS, SEEN, EXPERTS), 2))
def test_what_is_new_is_neither_among_those_before_nor_earlier(
    library: Library, count: NumPyArray, before: NumPyArray
) -> None:
    got = run_step(library, new, count, before)
    for row, candidates, tried in zip(got, count.tolist(), before.tolist(), strict=True):
        expected = [counts not in [*tried, *candidates[:i]] for i, counts in enumerate(candidates)]
        assert row.astype(bool).tolist() == expected


def test_what_is_to_come_makes_nothing_old() -> None:
    marks = np.array([[0, 7, 0]])
    assert are_new(LIBRARY, marks, np.full((1, 4), -1)).tolist() == [[True, True, False]]
    assert are_new(LIBRARY, marks, np.array([[-1, 7]])).tolist() == [[True, False, False]]
