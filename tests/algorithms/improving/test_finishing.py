"""Further steps, by the number of items in a pack: those of the reference, which never make the busiest pack busier."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Policy, balanced_packing
from eplb_xp.algorithms.improving.finishing import are_shaken, finished, most_steps
from eplb_xp.algorithms.improving.table import slots, table
from eplb_xp.algorithms.packing.packed import Packed, packed
from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.loads import thorough, weights
from tests.support.packings import Filled, filled
from tests.support.references import finishing as reference

ROWS = 3
any_shape = [(2, 4), (7, 2), (4, 3), (3, 6), (2, 16), (2, 17)]  # packs and their slots
policies = st.builds(
    Policy,
    neighbourhood=st.sampled_from(["any", "lightest"]),
    threshold=st.sampled_from([0.0, 2.0**-20]),
    tolerance=st.sampled_from([0.0, 0.1]),
)
steps = st.lists(st.integers(0, 12), min_size=ROWS, max_size=ROWS)


def after_further_steps(before: Filled, policy: Policy, left: list[int]) -> Packed:
    """After so many in each row."""
    now, total = table(LIBRARY, before.packs, before.items), tree_sum(LIBRARY, before.load)[:, None]
    now = finished(LIBRARY, now, total, policy, np.array(left)[:, None])
    return Packed(slots(LIBRARY, now), now.pack_load)


@thorough
@given(before=filled(any_shape, ROWS), policy=policies, left=steps)
def test_items_are_where_the_reference_has_them(before: Filled, policy: Policy, left: list[int]) -> None:
    done = after_further_steps(before, policy, left)
    for item, load, expert, rounds in zip(done.item, before.load, before.expert.tolist(), left, strict=True):
        want = reference.finished(before.slots(), load, expert, policy, rounds)
        assert item.reshape(before.num_packs, -1).tolist() == want


@thorough
@given(before=filled(any_shape, ROWS), policy=policies, left=steps)
def test_no_pack_is_busier_and_no_expert_doubled(before: Filled, policy: Policy, left: list[int]) -> None:
    done = after_further_steps(before, policy, left)
    assert (done.pack_load.max(axis=1) <= before.packs.pack_load.max(axis=1)).all()
    np.testing.assert_array_equal(np.sort(done.item), before.packs.item)
    np.testing.assert_array_equal(done.pack_load, packed(LIBRARY, done.item, before.load, before.num_packs).pack_load)
    assert before.doubled(done.item) == 0


def test_packs_of_three_are_shaken_so_often_as_there_are_packs() -> None:
    assert [are_shaken(capacity) for capacity in (2, 3, 4, 16, 17)] == [False, True, False, False, False]
    policy = Policy(finish=5, shakes=2)
    assert [most_steps(policy, 100, capacity) for capacity in (2, 3, 4, 16, 17)] == [0, 200, 5, 5, 5]


def busiest_before_and_after(capacity: int, *, rounds: int = 1000) -> tuple[NumPyArray, NumPyArray]:
    """The busiest of twelve packs after so many swaps, by then mostly of no use, and after further steps."""
    load = np.random.default_rng(0).uniform(1, 2, (200, capacity * 12)).astype(np.float32)
    found = []
    for finish, shakes in ((0, 0), (400, 33)):
        policy = Policy(may_double=True, rounds=rounds, finish=finish, shakes=shakes)
        pack_index, _ = NUMPY.run(balanced_packing, load, num_packs=12, policy=policy)
        found.append(np.array([np.bincount(*row).max() for row in zip(pack_index, load, strict=True)]))
    return found[0], found[1]


@pytest.mark.parametrize(("capacity", "at_least"), [(3, 140), (4, 160), (16, 190)])
def test_they_help_where_swaps_no_longer_do(capacity: int, at_least: int) -> None:
    swapped, after = busiest_before_and_after(capacity)
    assert np.count_nonzero(after < swapped * (1 - 1e-6)) >= at_least  # of 200


def test_packs_of_more_items_see_swaps_alone() -> None:
    swapped, after = busiest_before_and_after(17)
    np.testing.assert_array_equal(after, swapped)
    few, after = busiest_before_and_after(17, rounds=1)
    assert (after < few).any()


@thorough
@given(load=weights((ROWS, 8), ("int32",)))
def test_nothing_is_left_to_do_with_two_items_a_pack(load: NumPyArray) -> None:
    """The heaviest beside the lightest are the best pairs: exhaustively."""
    pack_index, _ = NUMPY.run(balanced_packing, load, num_packs=4, policy=Policy(may_double=True, rounds=0))
    for row, packs in zip(load, pack_index, strict=True):
        busiest = np.bincount(packs, row).max()
        assert busiest <= best_pairs(row.astype(np.float64)) * (1 + 1e-6)


def best_pairs(load: NumPyArray) -> float:
    """The busiest of the best pairs there are: whom the first is beside, and the best of the others."""
    if len(load) == 0:
        return 0.0
    first, others = load[0], load[1:]
    return min(max(first + others[i], best_pairs(np.delete(others, i))) for i in range(len(others)))
