"""GPUs under other names: fewest moves of all names there are, the same on every library, and layers by themselves."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.moving.counting import moved
from eplb_xp.algorithms.moving.relabelling import relabelled
from eplb_xp.backends.numpy import LIBRARY, NumPy
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.moving import Change, changes, drifted, shuffled
from tests.support.references import moving as reference
from tests.support.steps import run_step


def relabel(change: Change, nodes: int, library: Library = NUMPY) -> NumPyArray:
    """The plan with other names."""
    phy2log, previous, gpus = change
    found: NumPyArray = run_step(library, relabelled, phy2log, previous, num_gpus=gpus, num_nodes=nodes)
    return found


def held(slots: list[int], nodes: int, gpus: int) -> Any:
    """What GPUs hold, those of a node together, in an order that no names change."""
    its = [sorted(gpu) for gpu in reference.by_gpu(slots, gpus)]
    return sorted(sorted(its[node : node + gpus // nodes]) for node in range(0, gpus, gpus // nodes))


def assert_fewest(change: Change, found: NumPyArray, nodes: int) -> None:
    """By all names there are."""
    phy2log, previous, gpus = change
    for now, slots, before in zip(found.tolist(), phy2log.tolist(), previous.tolist(), strict=True):
        assert held(now, nodes, gpus) == held(slots, nodes, gpus)
        least = reference.least_moved(slots, before, nodes, gpus)
        assert reference.moved(now, before, gpus) == least
        assert sum(a != b for a, b in zip(now, before, strict=True)) == least


@every_library
@given(change=changes([(4, 3)]))
def test_fewest_experts_move(library: Library, change: Change) -> None:
    for nodes in (1, 2):
        found = relabel(change, nodes, library)
        assert_fewest(change, found, nodes)
        np.testing.assert_array_equal(found, relabel(change, nodes))


@thorough
@given(data=st.data(), capacity=st.integers(1, 4), shape=st.sampled_from([(1, 1), (1, 3), (2, 2), (2, 4), (3, 3)]))
def test_fewest_experts_move_at_many_sizes(data: st.DataObject, capacity: int, shape: tuple[int, int]) -> None:
    nodes, gpus = shape
    change = data.draw(changes([(gpus, capacity)], layers=2))
    assert_fewest(change, relabel(change, nodes), nodes)


@given(change=changes([(6, 2)], layers=1))
def test_fewest_experts_move_with_three_gpus_on_each_of_two_nodes(change: Change) -> None:
    assert_fewest(change, relabel(change, 2), 2)


SIZES = [(288, 1, 1, 32), (288, 8, 4, 32), (320, 1, 1, 64), (384, 1, 1, 128)]


@every_library
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_same_plan_under_other_names_comes_back(library: Library, sizes: tuple[int, int, int, int]) -> None:
    _, _, nodes, gpus = sizes
    previous = drifted(sizes, 2, 256).previous
    change = Change(shuffled(previous, nodes, gpus, seed=1), previous, gpus)
    np.testing.assert_array_equal(relabel(change, nodes, library), previous)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_plans_after_a_drift_move_less(sizes: tuple[int, int, int, int]) -> None:
    _, _, nodes, gpus = sizes
    change = drifted(sizes, 4, 256)
    found = relabel(change, nodes)
    before, after = (moved(LIBRARY, plan, change.previous, gpus).sum(axis=(1, 2)) for plan in (change.phy2log, found))
    assert (after < 0.9 * before).all()
    np.testing.assert_array_equal(relabel(Change(found, *change[1:]), nodes), found)


class FewAtOnce(NumPy):
    """NumPy that labels so many pairs of GPUs at once."""

    def __init__(self, pairs: int) -> None:
        super().__init__()
        self.slots_at_once = pairs


@pytest.mark.parametrize("pairs", [1, 16, 32, 50, 80, 10**6])
def test_layers_in_turns(pairs: int) -> None:
    rng = np.random.default_rng(0)
    phy2log, previous = rng.integers(0, 9, (5, 12)), rng.integers(-1, 9, (5, 12))
    found = relabelled(FewAtOnce(pairs), phy2log, previous, num_gpus=4, num_nodes=2)
    for layer in range(5):
        alone = relabel(Change(phy2log[[layer]], previous[[layer]], 4), 2)
        np.testing.assert_array_equal(found[[layer]], alone)


@every_library
def test_no_layers(library: Library) -> None:
    none = np.zeros((0, 12), np.int64)
    assert relabel(Change(none, none, 4), 2, library).shape == (0, 12)
