"""Candidates for the replica counts: what every one of them is, and those of the reference."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.counts.levels import Candidates, Shape, candidates
from eplb_xp.algorithms.counts.replication import hand_out
from eplb_xp.algorithms.counts.spares import Range, Spares
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NumPyArray
from tests.support.loads import thorough, weights
from tests.support.references import joint

ROWS, EXPERTS = 3, 7


def found(weight: NumPyArray, num_spares: int, shape: Shape) -> tuple[NumPyArray, Spares, Candidates]:
    """The loads, D'Hondt's spares and the candidates."""
    load = scaled(LIBRARY, weight).load
    positive = np.where(load > 0, load, np.float32(2.0**-80))
    spares = hand_out(LIBRARY, positive, num_spares, Range(1, shape.most))
    return load, spares, candidates(LIBRARY, load, spares, shape)


@st.composite
def cases(draw: st.DrawFn) -> tuple[NumPyArray, Spares, Candidates, Shape]:
    """Loads, D'Hondt's spares and candidates for sizes of all proportions."""
    num_spares = draw(st.integers(1, 20))
    most = draw(st.integers(1 - -num_spares // EXPERTS, num_spares + 1))
    shape = Shape(draw(st.integers(2, 12)), draw(st.integers(1, num_spares)), most)
    return *found(draw(weights((ROWS, EXPERTS))), num_spares, shape), shape


@thorough
@given(case=cases())
def test_candidates_are_those_of_the_reference(case: tuple[NumPyArray, Spares, Candidates, Shape]) -> None:
    load, spares, got, shape = case
    want = [
        candidate
        for row, expert in zip(load, spares.expert.tolist(), strict=True)
        for candidate in joint.candidates(row, expert, *shape)
    ]
    assert got.spare.tolist() == [candidate.spares for candidate in want]
    assert got.count.tolist() == [candidate.counts for candidate in want]
    assert got.new.reshape(-1).tolist() == [candidate.new for candidate in want]


@thorough
@given(case=cases())
def test_counts_of_candidates(case: tuple[NumPyArray, Spares, Candidates, Shape]) -> None:
    load, spares, got, shape = case
    num_spares = spares.expert.shape[-1]
    spare = got.spare.reshape(ROWS, 2, shape.num_levels, num_spares)
    count = got.count.reshape(ROWS, 2, shape.num_levels, EXPERTS)
    new = got.new.reshape(ROWS, 2, shape.num_levels)
    assert count.min() >= 1
    assert count.max() <= shape.most
    handed_out = [np.bincount(row, minlength=EXPERTS) for row in spare.reshape(-1, num_spares)]
    np.testing.assert_array_equal(got.count, 1 + np.array(handed_out))

    total = load.astype(np.float64).sum(axis=1) * (1 + 1e-6)
    largest = (load[:, None, None, :] / count).max(axis=-1) * shape.num_packs
    smallest = (load / spares.count).max(axis=-1) * shape.num_packs  # no other counts make it smaller
    within = smallest <= total / (1 + 2e-6)
    assert (largest[within] <= total[within, None, None]).all()

    before = np.concatenate([np.broadcast_to(spares.count[:, None, None, :], (ROWS, 2, 1, EXPERTS)), count], axis=2)
    repeats = (count == before[:, :, :-1]).all(axis=-1) | (count == spares.count[:, None, None, :]).all(axis=-1)
    assert repeats[~new].all()


def test_new_candidates_differ_where_loads_do() -> None:
    weight = np.array([[64, 32, 16, 8, 4, 2, 1]] * ROWS)
    _, spares, got = found(weight, 6, Shape(4, 3, 6))
    assert spares.expert[0].tolist() == [0, 0, 1, 0, 0, 1]
    # The mean of 31.75 takes three spares; then the levels are 3, 4 and 5.
    assert got.new.all()
    assert got.spare[:6].tolist() == [
        [0, 0, 1, 2, 3, 4],
        [0, 0, 1, 0, 2, 3],
        [0, 0, 1, 0, 0, 2],
        [0, 0, 1, 6, 5, 4],
        [0, 0, 1, 0, 6, 5],
        [0, 0, 1, 0, 0, 6],
    ]
