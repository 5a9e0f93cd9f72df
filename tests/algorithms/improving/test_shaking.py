"""Packs of two or three items: shaken as the reference does it, never busier, never doubled."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Policy
from eplb_xp.algorithms.improving.refinement import refine
from eplb_xp.algorithms.improving.shaking import shake
from eplb_xp.algorithms.improving.table import slots, table
from eplb_xp.algorithms.packing.packed import Items, packed
from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.packings import Filled, filled
from tests.support.references.shaking import shaken
from tests.support.steps import run_step

ROWS = 3
ONE_SHAPE = [(5, 3)]  # packs and their slots
SHAKING = Policy(threshold=2.0**-20, tolerance=0.0)
policies = st.builds(
    Policy,
    neighbourhood=st.sampled_from(["any", "lightest"]),
    threshold=st.sampled_from([0.0, 2.0**-20, 0.1]),
    tolerance=st.sampled_from([0.0, 2.0**-13, 0.1]),
)
any_shape = [(packs, slots) for packs in (2, 3, 4, 7) for slots in (2, 3)]


def shake_items(lib: Standard, load: Array, expert: Array, left: Array, *, num_packs: int, policy: Policy) -> Array:
    """The item in each slot, item i having been in slot i."""
    packs = packed(lib, lib.arange_like(load), load, num_packs)
    now = table(lib, packs, Items(load, expert))
    return slots(lib, shake(lib, now, tree_sum(lib, load)[:, None], policy, left))


def assert_shaken(library: Library, before: Filled, left: NumPyArray, policy: Policy) -> None:
    """The items are where the reference has them."""
    num_packs, load, expert = before
    got = run_step(library, shake_items, load, expert, left, num_packs=num_packs, policy=policy)
    for item, its_load, its_expert, rounds in zip(got, load, expert.tolist(), left[:, 0].tolist(), strict=True):
        want = shaken(before.slots(), its_load, its_expert, policy, rounds)
        assert item.reshape(num_packs, -1).tolist() == want


@every_library
@given(data=st.data())
def test_items_are_where_the_reference_has_them(library: Library, data: st.DataObject) -> None:
    left = np.array([[data.draw(st.integers(0, 30))] for _ in range(ROWS)])
    assert_shaken(library, data.draw(filled(ONE_SHAPE, ROWS)), left, SHAKING)


@thorough
@given(before=filled(any_shape, ROWS), policy=policies, left=st.lists(st.integers(0, 12), min_size=ROWS, max_size=ROWS))
def test_items_of_many_sizes(before: Filled, policy: Policy, left: list[int]) -> None:
    assert_shaken(NUMPY, before, np.array(left)[:, None], policy)


@thorough
@given(before=filled(any_shape, ROWS, exact=True), policy=policies)
def test_no_round_makes_the_busiest_pack_busier_or_doubles_an_expert(before: Filled, policy: Policy) -> None:
    high = before.packs.pack_load.max(axis=1)
    for rounds in (1, 2, 3, 20):
        left = np.full((ROWS, 1), rounds)
        item = shake_items(LIBRARY, before.load, before.expert, left, num_packs=before.num_packs, policy=policy)
        np.testing.assert_array_equal(np.sort(item), before.packs.item)
        assert before.doubled(item) == 0
        after = packed(LIBRARY, item, before.load, before.num_packs).pack_load.max(axis=1)
        assert (after <= high).all()
        high = after


# No swap is good enough for it, so every round shakes.
ONLY_SHAKES = Policy(threshold=1.0, tolerance=0.0)


def shaken_row(load: list[float], num_packs: int, rounds: int) -> list[list[int]]:
    """The items of each pack, all of different experts, when they have only been shaken."""
    item = np.arange(len(load))[None, :]
    loads = np.array([load], np.float32)
    found = shake_items(LIBRARY, loads, item, np.array([[rounds]]), num_packs=num_packs, policy=ONLY_SHAKES)
    by_pack: list[list[int]] = found.reshape(num_packs, -1).tolist()
    return by_pack


def test_each_pack_meets_each_other_once_in_as_many_rounds_as_there_are_packs() -> None:
    # All but the first, which is the busiest and gives nothing away, have equal loads, and swap what is of rank 0.
    load = [16.0, 0.5] + [1.0] * 12
    before, met = shaken_row(load, 7, 0), []
    for rounds in range(1, 8):
        after = shaken_row(load, 7, rounds)
        assert after[0] == before[0]
        pack = {items[0]: number for number, items in enumerate(before)}
        met += [(pack[items[0]], number) for number, items in enumerate(after) if pack[items[0]] < number]
        before = after
    assert sorted(met) == list(combinations(range(1, 7), 2))


@pytest.mark.parametrize(("most", "swapped"), [(16.0, 1), (14.5, 0), (13.5, 2)])
def test_the_busier_pack_gets_as_busy_as_it_may(most: float, swapped: int) -> None:
    # In the first of four packs' rounds the second meets the fourth. As items of one rank are swapped, the busier of
    # the two gets 14, 15 or 13.
    by_pack = shaken_row([most, 0.25, 0.25, 9, 3, 2, 1, 1, 1, 4, 4, 1], 4, 1)
    expected = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    expected[1][swapped], expected[3][swapped] = expected[3][swapped], expected[1][swapped]
    assert by_pack == expected


def test_rows_at_a_bound_stay_as_they_are() -> None:
    load = np.array([[4, 4, 5, 3, 1, 7, 2, 6], [16, 0, 1, 1, 2, 2, 3, 3]], np.float32)  # even, and one large item
    expert = np.broadcast_to(np.arange(8), load.shape)
    item = shake_items(LIBRARY, load, expert, np.full((2, 1), 20), num_packs=4, policy=Policy())
    np.testing.assert_array_equal(item, expert)


def test_as_long_as_swaps_help_they_are_made() -> None:
    load = np.random.default_rng(1).integers(1, 1000, (20, 18)).astype(np.float32)
    packs = packed(LIBRARY, np.broadcast_to(np.arange(18), load.shape), load, 9)
    now, total = table(LIBRARY, packs, Items(load, np.array(packs.item))), tree_sum(LIBRARY, load)[:, None]
    for rounds in (1, 2, 3):
        left = np.full((20, 1), rounds)
        swapped, mixed = (step(LIBRARY, now, total, SHAKING, left).item for step in (refine, shake))
        still = (refine(LIBRARY, now, total, SHAKING, left - 1).item != swapped).any(axis=1)  # the last one helped
        assert still.any()
        np.testing.assert_array_equal(mixed[still], swapped[still])
