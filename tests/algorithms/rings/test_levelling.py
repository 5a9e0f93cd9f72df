"""Experts that change seats: the swaps of the reference, never busier, and the same seats."""

from collections import Counter

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from eplb_xp import Policy
from eplb_xp.algorithms.rings.levelling import levelled
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import counts, thorough, weights
from tests.support.references import rings as reference
from tests.support.references import sharing
from tests.support.shares import Shape, ring_plan, shapes_of_all_proportions
from tests.support.steps import run_step

policies = st.builds(Policy, rounds=st.integers(0, 12), threshold=st.sampled_from([0.0, 2.0**-20, 0.1]))


def level(lib: Standard, load: Array, slot2expert: Array, *, num_packs: int, policy: Policy) -> Array:
    return levelled(lib, load, slot2expert, num_packs, policy)


def plans(seed: int, layers: int, shape: Shape) -> NumPyArray:
    """Of which no expert is twice on a GPU."""
    rng = np.random.default_rng(seed)
    return np.stack([ring_plan(rng, shape) for _ in range(layers)])


def assert_levelled(library: Library, load: NumPyArray, phy2log: NumPyArray, packs: int, policy: Policy) -> NumPyArray:
    found: NumPyArray = run_step(library, level, load, phy2log, num_packs=packs, policy=policy)
    for row, slots in enumerate(phy2log.reshape(len(phy2log), packs, -1).tolist()):
        assert found[row].reshape(packs, -1).tolist() == reference.levelled(load[row], slots, policy)
    return found


@every_library
@given(data=st.data())
def test_experts_are_where_the_reference_has_them(library: Library, data: st.DataObject) -> None:
    load = scaled(LIBRARY, data.draw(weights((3, 8)))).load
    assert_levelled(library, load, plans(data.draw(st.integers(0, 2**32 - 1)), 3, (8, 12, 4)), 4, Policy(rounds=20))


@thorough
@given(shape=shapes_of_all_proportions(), policy=policies, data=st.data())
def test_experts_of_many_sizes(shape: Shape, policy: Policy, data: st.DataObject) -> None:
    experts, replicas, packs = shape
    assume(replicas <= experts * packs)
    load = scaled(LIBRARY, data.draw(weights((2, experts)))).load
    assert_levelled(NUMPY, load, plans(data.draw(st.integers(0, 2**32 - 1)), 2, shape), packs, policy)


def busiest(load: NumPyArray, phy2log: NumPyArray, packs: int) -> NumPyArray:
    """In float64, which is exact for such loads but for the thirds."""
    count = np.array([[(row == e).sum() for e in range(load.shape[1])] for row in phy2log])
    slot_load = np.take_along_axis(load.astype(np.float64) / count, phy2log, axis=1)
    most: NumPyArray = slot_load.reshape(len(load), packs, -1).sum(axis=2).max(axis=1)
    return most


@given(load=counts((3, 10)), seed=st.integers(0, 2**32 - 1))
def test_no_round_makes_the_busiest_gpu_busier_and_seats_stay(load: NumPyArray, seed: int) -> None:
    before = plans(seed, 3, (10, 15, 5))
    high = busiest(load, before, 5)
    seats = [Counter(map(tuple, sharing.holders(row, 10, 5))) for row in before.tolist()]
    for rounds in (1, 2, 3, 20):
        found = levelled(LIBRARY, load, before, 5, Policy(rounds=rounds))
        after = busiest(load, found, 5)
        assert (after <= high * (1 + 1e-6)).all()
        assert [Counter(map(tuple, sharing.holders(row, 10, 5))) for row in found.tolist()] == seats
        # Each seat stays one expert's: the slots that were of one are of one.
        for old, new in zip(before.tolist(), found.tolist(), strict=True):
            assert len(set(zip(old, new, strict=True))) == 10
        high = after


def test_single_experts_change_places_until_none_helps() -> None:
    load = np.array([[9, 8, 1, 2]], np.float32)
    assert levelled(LIBRARY, load, np.array([[0, 1, 2, 3]]), 2, Policy()).tolist() == [[0, 2, 1, 3]]
    assert levelled(LIBRARY, load, np.array([[0, 1, 2, 3]]), 2, Policy(rounds=0)).tolist() == [[0, 1, 2, 3]]
    assert levelled(LIBRARY, load, np.array([[0, 1, 2, 3]]), 2, Policy(threshold=1.0)).tolist() == [[0, 1, 2, 3]]


def test_experts_of_two_replicas_change_both_places() -> None:
    load = np.array([[20, 2, 10, 6]], np.float32)
    before = np.array([[0, 2, 0, 2, 1, 3, 1, 3]])  # two full GPUs, two light ones
    found = levelled(LIBRARY, load, before, 4, Policy())
    assert found.tolist() == [[0, 1, 0, 1, 2, 3, 2, 3]]
