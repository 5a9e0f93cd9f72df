"""Slots inside GPUs: those of the reference, and what a GPU holds stays what it is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.moving.keeping import keep_slots
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.libraries import NUMPY, Library, every_library
from tests.support.loads import thorough
from tests.support.moving import Change, changes, shuffled
from tests.support.references import moving as reference
from tests.support.steps import run_step


def keep(lib: Standard, phy2log: Array, previous: Array, *, num_gpus: int) -> Array:
    return keep_slots(lib, phy2log, previous, num_gpus)


def assert_kept(library: Library, change: Change) -> None:
    phy2log, previous, gpus = change
    found = run_step(library, keep, phy2log, previous, num_gpus=gpus)
    for now, slots, before in zip(found.tolist(), phy2log.tolist(), previous.tolist(), strict=True):
        assert now == reference.kept(slots, before, gpus)
        its, theirs = reference.by_gpu(now, gpus), reference.by_gpu(slots, gpus)
        assert [sorted(held) for held in its] == [sorted(held) for held in theirs]
        assert sum(a != b for a, b in zip(now, before, strict=True)) == reference.moved(slots, before, gpus)


@every_library
@given(change=changes([(3, 4)]))
def test_slots_are_where_the_reference_has_them(library: Library, change: Change) -> None:
    assert_kept(library, change)


@thorough
@given(data=st.data(), gpus=st.integers(1, 5), capacity=st.integers(1, 6))
def test_slots_of_many_sizes(data: st.DataObject, gpus: int, capacity: int) -> None:
    assert_kept(NUMPY, data.draw(changes([(gpus, capacity)])))


@every_library
def test_more_slots_than_are_unrolled(library: Library) -> None:
    rng = np.random.default_rng(0)
    assert_kept(library, Change(rng.integers(0, 30, (2, 40)), rng.integers(-1, 30, (2, 40)), 2))


@given(change=changes([(3, 4)]), seed=st.integers(0, 2**32 - 1))
def test_slots_in_another_order_come_back(change: Change, seed: int) -> None:
    phy2log = change.phy2log
    mixed = np.concatenate([shuffled(part, 1, 1, seed) for part in np.split(phy2log, 3, axis=1)], axis=1)
    np.testing.assert_array_equal(keep_slots(LIBRARY, mixed, phy2log, 3), phy2log)


def test_both_copies_of_an_expert_keep_their_slots_and_others_come_in_order() -> None:
    found = keep_slots(LIBRARY, np.array([[7, 5, 8, 7, 3, 3]]), np.array([[-1, 7, 2, 7, 5, 1]]), 1)
    assert found.tolist() == [[8, 7, 3, 7, 5, 3]]
