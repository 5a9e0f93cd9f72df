"""What is proven: fractions compared and rounded down exactly."""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.sharing.proofs import Proof, is_stronger, least, rounded_down
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support import shares
from tests.support.libraries import Library, every_library
from tests.support.loads import thorough
from tests.support.steps import run_step

ROWS = 8
tokens = st.one_of(st.integers(0, 100), st.integers(0, 2**30 - 1), st.sampled_from([2**24 - 1, 2**24 + 1, 2**25 + 2]))
fractions = st.lists(st.tuples(tokens, st.integers(1, 1024)), min_size=ROWS, max_size=ROWS)
Pairs = list[tuple[int, int]]


def as_proof(pairs: Pairs) -> Proof:
    above, below = np.array(pairs).T[:, :, None]
    return Proof(np.zeros((ROWS, 1), bool), above, below)


def round_down(lib: Standard, above: Array, below: Array) -> tuple[Array, Array]:
    proof = Proof(above < 0, *(lib.xp.astype(x, lib.index_dtype) for x in (above, below)))
    return rounded_down(lib, proof), least(proof)


@every_library
@given(pairs=fractions)
def test_bounds_are_rounded_down(library: Library, pairs: Pairs) -> None:
    above, below = (x.astype(np.int32) for x in as_proof(pairs)[1:])
    bound, whole = run_step(library, round_down, above, below)
    assert bound[:, 0].tolist() == [shares.rounded_down(Fraction(*pair)) for pair in pairs]
    assert whole[:, 0].tolist() == [-(-a // b) for a, b in pairs]


@thorough
@given(pairs=fractions)
def test_bounds_of_many_are_rounded_down(pairs: Pairs) -> None:
    bound: Any = rounded_down(LIBRARY, as_proof(pairs))
    assert bound.dtype == np.float32
    assert bound[:, 0].tolist() == [shares.rounded_down(Fraction(*pair)) for pair in pairs]
    exact = np.array([float(Fraction(*pair)) for pair in pairs])
    assert (np.nextafter(bound[:, 0], np.float32(np.inf)) > exact).all()


@thorough
@given(one=fractions, other=fractions, same=st.integers(0, ROWS), factor=st.integers(1, 9))
def test_proofs_are_compared_exactly(one: Pairs, other: Pairs, same: int, factor: int) -> None:
    for row in range(same):  # equal ones, and others by the least difference
        above, below = one[row]
        other[row] = (min(above * factor, 2**30 - 1) - row % 2 * (above > 0), below * factor)
    found = is_stronger(as_proof(one), as_proof(other))
    assert found[:, 0].tolist() == [Fraction(*a) > Fraction(*b) for a, b in zip(one, other, strict=True)]
