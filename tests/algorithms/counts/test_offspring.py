"""Offspring: those of the reference, at most three replicas away from a parent, and every parent has some."""

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.counts.offspring import MOST_MOVES, Parents, offspring
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import MOST_SEED
from eplb_xp.types import Array
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import thorough, weights
from tests.support.references.levels import Candidate
from tests.support.references.offspring import offspring as reference_offspring
from tests.support.steps import run_step

ROWS, NUMBER = 3, 10
Shape = tuple[int, int, int]  # experts, spares, parents
ONE_SHAPE = (5, 7, 3)


class Case(NamedTuple):
    """What offspring are made from."""

    load: NumPyArray  # [rows, experts]
    spare: NumPyArray  # [rows, parents, spares]
    replicas: NumPyArray  # [rows, parents, experts]
    parents: NumPyArray  # [rows, 1] how many of them
    generation: NumPyArray  # [rows, 1]

    def candidates(self, row: int) -> list[Candidate]:
        number = int(self.parents[row, 0])
        return [Candidate(self.spare[row, i].tolist(), self.replicas[row, i].tolist()) for i in range(number)]


@st.composite
def cases(draw: st.DrawFn, shape: Shape) -> Case:
    """Loads, and parents of any counts."""
    experts, spares, parents = shape
    drawn = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spare = drawn.integers(0, experts, (ROWS, parents, spares))
    count = 1 + (spare[:, :, :, None] == np.arange(experts)).sum(axis=2)
    load = scaled(LIBRARY, draw(weights((ROWS, experts)))).load
    return Case(load, spare, count, drawn.integers(1, parents + 1, (ROWS, 1)), drawn.integers(2, 1025, (ROWS, 1)))


def made(lib: Standard, *case: Array, **how: int) -> Array:
    """Spares, then counts: [rows, offspring, spares + experts]."""
    load, *parents, generation = case
    found = offspring(lib, load, Parents(*parents), generation, **how)
    both = lib.xp.concat(list(found), axis=-1)
    return lib.xp.reshape(both, (load.shape[0], both.shape[0] // load.shape[0], both.shape[1]))


def assert_made(library: Library, case: Case, most: int, seed: int) -> None:
    """They are those of the reference."""
    got = run_step(library, made, *case, number=NUMBER, most=most, seed=seed)
    for row, found in enumerate(got.tolist()):
        generation = int(case.generation[row, 0])
        want = reference_offspring(
            case.load[row], case.candidates(row), generation, number=NUMBER, most=most, seed=seed
        )
        assert found == [[*spares, *counts] for spares, counts in want]


@every_library
@given(data=st.data())
def test_offspring_are_those_of_the_reference(library: Library, data: st.DataObject) -> None:
    assert_made(library, data.draw(cases(ONE_SHAPE)), most=4, seed=MOST_SEED)


@thorough
@given(data=st.data(), most=st.integers(1, 8), seed=st.integers(0, MOST_SEED))
def test_offspring_of_many_sizes(data: st.DataObject, most: int, seed: int) -> None:
    experts, spares, parents = (data.draw(st.integers(1, largest)) for largest in (9, 12, 8))
    assert_made(NUMPY, data.draw(cases((experts, spares, parents))), most, seed)


@thorough
@given(data=st.data(), most=st.integers(2, 8))
def test_one_expert_gets_what_up_to_three_others_give(data: st.DataObject, most: int) -> None:
    experts, spares, parents = data.draw(st.sampled_from([ONE_SHAPE, (2, 3, 1), (9, 2, 4)]))
    case = data.draw(cases((experts, spares, parents)))
    got = made(LIBRARY, *case, number=NUMBER, most=most, seed=0)
    parent = np.arange(NUMBER) % case.parents
    row = np.arange(ROWS)[:, None]
    spare, count = got[:, :, :spares], got[:, :, spares:]
    change = count - case.replicas[row, parent]
    moved = spare != case.spare[row, parent]
    np.testing.assert_array_equal(change.sum(axis=-1), 0)
    np.testing.assert_array_equal(moved.sum(axis=-1), change.max(axis=-1))
    assert ((change > 0).sum(axis=-1) <= 1).all()
    assert (change.max(axis=-1) <= 1 + np.arange(NUMBER) // case.parents % MOST_MOVES).all()
    np.testing.assert_array_equal(count, 1 + (spare[:, :, :, None] == np.arange(experts)).sum(axis=2))
    assert (count[change > 0] <= most).all()


def test_every_other_expert_is_as_likely_to_get_a_replica() -> None:
    experts, generations = 5, 1000
    load = np.ones((generations, experts), np.float32)
    spare = np.zeros((generations, 1, 1), np.int64)  # of the first expert, which must give it
    count = np.tile([2, 1, 1, 1, 1], (generations, 1, 1))
    one = np.ones((generations, 1), np.int64)
    number = np.arange(generations)[:, None]
    takers = made(LIBRARY, load, spare, count, one, number, number=NUMBER, most=2, seed=0)[:, :, 0]
    share = np.bincount(takers.ravel(), minlength=experts) / takers.size
    assert share[0] == 0
    np.testing.assert_allclose(share[1:], 1 / 4, rtol=0.05)
    # Nor does a draw say what the next one is, of the same generation or of the next.
    for one_draw, other in ((takers[:, 1:], takers[:, :-1]), (takers[1:], takers[:-1])):
        assert abs(np.corrcoef(one_draw.ravel(), other.ravel())[0, 1]) < 3 / one_draw.size**0.5
