"""The first candidates for the replica counts: what every one of them is, and those of the reference."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.counts.candidates import Candidates
from eplb_xp.algorithms.counts.levels import levels
from eplb_xp.algorithms.counts.replication import hand_out
from eplb_xp.algorithms.counts.spares import Range, Spares
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NumPyArray
from tests.support.loads import thorough, weights
from tests.support.references.levels import levels as reference_levels

ROWS, EXPERTS = 3, 7
Shape = tuple[int, int, int]  # packs, levels, most replicas of an expert


def found(weight: NumPyArray, num_spares: int, shape: Shape) -> tuple[NumPyArray, Spares, Candidates]:
    """The loads, D'Hondt's spares and the candidates."""
    num_packs, num_levels, most = shape
    load = scaled(LIBRARY, weight).load
    positive = np.where(load > 0, load, np.float32(2.0**-80))
    spares = hand_out(LIBRARY, positive, num_spares, Range(1, most))
    return load, spares, levels(LIBRARY, load, spares, num_packs=num_packs, num_levels=num_levels, most=most)


@st.composite
def cases(draw: st.DrawFn) -> tuple[NumPyArray, Spares, Candidates, Shape]:
    """Loads, D'Hondt's spares and candidates for sizes of all proportions."""
    num_spares = draw(st.integers(1, 20))
    most = draw(st.integers(1 - -num_spares // EXPERTS, num_spares + 1))
    shape = draw(st.integers(2, 12)), draw(st.integers(1, num_spares)), most
    return *found(draw(weights((ROWS, EXPERTS))), num_spares, shape), shape


@thorough
@given(case=cases())
def test_candidates_are_those_of_the_reference(case: tuple[NumPyArray, Spares, Candidates, Shape]) -> None:
    load, spares, got, shape = case
    want = [
        candidate
        for row, expert in zip(load, spares.expert.tolist(), strict=True)
        for candidate in reference_levels(row, expert, *shape)
    ]
    assert got.spare.tolist() == [candidate.spares for candidate in want]
    assert got.count.tolist() == [candidate.counts for candidate in want]


@thorough
@given(case=cases())
def test_counts_of_candidates(case: tuple[NumPyArray, Spares, Candidates, Shape]) -> None:
    load, spares, got, (num_packs, num_levels, most) = case
    num_spares = spares.expert.shape[-1]
    count = got.count.reshape(ROWS, 2, num_levels, EXPERTS)
    assert count.min() >= 1
    assert count.max() <= most
    handed_out = [np.bincount(row, minlength=EXPERTS) for row in got.spare.reshape(-1, num_spares)]
    np.testing.assert_array_equal(got.count, 1 + np.array(handed_out))

    total = load.astype(np.float64).sum(axis=1) * (1 + 1e-6)
    largest = (load[:, None, None, :] / count).max(axis=-1) * num_packs
    smallest = (load / spares.count).max(axis=-1) * num_packs  # no other counts make it smaller
    within = smallest <= total / (1 + 2e-6)
    assert (largest[within] <= total[within, None, None]).all()

    if num_levels > 1:  # the last level hands out all spares as D'Hondt does
        np.testing.assert_array_equal(count[:, :, -1], np.stack([spares.count] * 2, axis=1))


def test_levels_lie_evenly_between_the_lowest_and_all_spares() -> None:
    weight = np.array([[64, 32, 16, 8, 4, 2, 1]] * ROWS)
    _, spares, got = found(weight, 6, (4, 4, 6))
    assert spares.expert[0].tolist() == [0, 0, 1, 0, 0, 1]
    # The mean of 31.75 takes three spares; so the levels are 3, 4, 5 and 6.
    assert got.spare[:8].tolist() == [
        [0, 0, 1, 2, 3, 4],
        [0, 0, 1, 0, 2, 3],
        [0, 0, 1, 0, 0, 2],
        [0, 0, 1, 0, 0, 1],
        [0, 0, 1, 6, 5, 4],
        [0, 0, 1, 0, 6, 5],
        [0, 0, 1, 0, 0, 6],
        [0, 0, 1, 0, 0, 1],
    ]
    for num_levels, handed_out in ((1, [3]), (2, [3, 6]), (3, [3, 4, 6])):
        _, _, got = found(weight, 6, (4, num_levels, 6))
        assert got.spare[:num_levels].tolist() == [
            [0, 0, 1, 0, 0, 1][:level] + [2, 3, 4][: 6 - level] for level in handed_out
        ]
