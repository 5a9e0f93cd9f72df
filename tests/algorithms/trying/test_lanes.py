"""Lanes of candidates: packed and improved as the reference does it, each for itself, and nothing for old ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Policy
from eplb_xp.algorithms.counts.candidates import Candidates
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.algorithms.trying.lanes import improved, packed_candidates
from eplb_xp.algorithms.trying.shape import Shape, shape_of
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.counting import Counting
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import thorough, weights
from tests.support.references import joint as reference
from tests.support.references.levels import Candidate
from tests.support.steps import run_step

LANES = 4
POLICY = Policy(rounds=3, finish=1, levels=2, tolerance=0.0)


def lanes(lib: Standard, *arrays: Array, policy: Policy, shape: Shape) -> Array:
    """The expert in each slot after candidates have been packed and improved."""
    load, spare, count, steps = arrays
    packs = packed_candidates(lib, load, Candidates(spare, count), steps >= 0, shape)
    return improved(lib, packs, steps, policy).expert(lib)


@st.composite
def candidates(draw: st.DrawFn, experts: int, packs: int, slots: int) -> tuple[NumPyArray, NumPyArray, NumPyArray]:
    """Loads, and candidates that can be packed so that no expert is doubled."""
    drawn = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spares = packs * slots - experts
    spare = np.array([drawn.permutation(np.repeat(np.arange(experts), packs - 1))[:spares] for _ in range(LANES)])
    count = 1 + (spare[:, :, None] == np.arange(experts)).sum(axis=1)
    return scaled(LIBRARY, draw(weights((LANES, experts)))).load, spare, count


def assert_improved(
    library: Library, found: tuple[NumPyArray, NumPyArray, NumPyArray], steps: list[int], packs: int, policy: Policy
) -> None:
    """What is in the slots is what the reference has there."""
    load, spare, count = found
    spares = spare.shape[1]
    shape = shape_of(policy, num_packs=packs, capacity=(spares + load.shape[1]) // packs, num_spares=spares, most=packs)
    left = np.array(steps)[:, None]
    got = run_step(library, lanes, *found, left, policy=policy, shape=shape)
    for slots, row, *candidate, number in zip(got, load, spare.tolist(), count.tolist(), steps, strict=True):
        want = reference.improved(reference.packed(row, Candidate(*candidate), packs), policy, number)
        assert slots.reshape(packs, -1).tolist() == [[want.expert[item] for item in pack] for pack in want.packs]


@every_library
@given(data=st.data())
def test_lanes_are_those_of_the_reference(library: Library, data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(0, 9), min_size=LANES, max_size=LANES))
    assert_improved(library, data.draw(candidates(7, 3, 3)), steps, 3, POLICY)


@thorough
@given(
    data=st.data(),
    steps=st.lists(st.integers(0, 9), min_size=LANES, max_size=LANES),
    rounds=st.integers(0, 4),
    finish=st.integers(0, 1),
)
def test_lanes_of_many_sizes(data: st.DataObject, steps: list[int], rounds: int, finish: int) -> None:
    experts, packs, slots = data.draw(st.sampled_from([(6, 4, 2), (7, 3, 3), (9, 4, 4), (20, 2, 17)]))
    policy = Policy(rounds=rounds, finish=finish, levels=1)
    steps = steps if finish else [0] * LANES
    assert_improved(NUMPY, data.draw(candidates(experts, packs, slots)), steps, packs, policy)


def test_candidates_that_are_not_new_take_no_time() -> None:
    load = np.random.default_rng(0).lognormal(0, 1, (LANES, 10)).astype(np.float32)
    spare = np.zeros((LANES, 2), np.int64)
    count = np.tile([3] + [1] * 9, (LANES, 1))
    shape = shape_of(POLICY, num_packs=4, capacity=3, num_spares=2, most=4)
    lib = Counting()
    left = np.full((LANES, 1), 5)
    new = np.zeros((LANES, 1), bool)
    packs = packed_candidates(lib, np.where(new, load, np.float32(0)), Candidates(spare, count), new, shape)
    packing, lib.rounds = lib.rounds, []
    assert packs.busiest(lib).tolist() == [[0]] * LANES
    improved(lib, packs, np.where(new, left, 0), POLICY)
    assert packing[0] == 0  # none has a load
    parting, swaps, shaking = lib.rounds
    assert (parting, shaking) == (0, 0)
    assert swaps <= 1  # which finds that none helps
