"""Where weights come from: as in the reference on every library, near ones first, no GPU sending more than it must."""

import numpy as np
import pytest
from hypothesis import given

from eplb_xp import Moves
from tests.support.changes import Change, changes, changes_of_all_proportions, moved
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import transfers as reference

SHAPE = (10, 24, 8)


def assert_moves(found: Moves[NumPyArray], change: Change) -> None:
    """Old weights by source are new weights, sums are those of the sources, and what is needed later is buffered."""
    previous, phy2log, gpus, nodes = change
    layers, slots = phy2log.shape
    source, received, sent, across, buffered = found
    there = np.take_along_axis(previous, np.maximum(source, 0), axis=1) == phy2log
    held = (previous[:, None, :] == phy2log[:, :, None]).any(axis=2)
    np.testing.assert_array_equal(source >= 0, held)
    assert there[held].all()

    its, gpu = np.arange(slots), np.arange(slots) * gpus // slots
    node = gpu * nodes // gpus
    leaves = held & (gpu[source] != gpu)
    assert received.shape == sent.shape == across.shape == (layers, gpus)
    for number, one in ((received, (leaves | ~held, gpu)), (sent, (leaves, gpu[source]))):
        np.testing.assert_array_equal(number, totals(*one, gpus))
    np.testing.assert_array_equal(across, totals(leaves & (node[source] != node), gpu[source], gpus))
    np.testing.assert_array_equal(received.sum(axis=1), sent.sum(axis=1) + np.count_nonzero(~held, axis=1))

    taken = (source[:, :, None] == its) & (its[:, None] != its)  # [layers, slots, sources]
    np.testing.assert_array_equal(buffered, taken.any(axis=1) & (previous != phy2log))


def totals(counts: NumPyArray, gpu: NumPyArray, gpus: int) -> NumPyArray:
    """How many slots that count each GPU has: [layers, gpus]."""
    return np.stack([np.count_nonzero(counts & (gpu == one), axis=1) for one in range(gpus)], axis=1)


def assert_as_reference(found: Moves[NumPyArray], change: Change) -> None:
    assert found.source.tolist() == [reference.sources(a, b, change.where) for a, b in change.rows()]


@every_library
@given(change=changes(SHAPE, nodes=2))
def test_moves_are_those_of_the_reference(library: Library, change: Change) -> None:
    found = moved(library, change)
    assert_as_reference(found, change)
    assert_moves(found, change)


@thorough
@given(change=changes_of_all_proportions())
def test_no_gpu_sends_more_than_it_must(change: Change) -> None:
    found = moved(NUMPY, change)
    assert_as_reference(found, change)
    assert_moves(found, change)
    for sent, (previous, phy2log) in zip(found.sent, change.rows(), strict=True):
        assert sent.max() == reference.least_busiest(previous, phy2log, change.where)


@thorough
@given(change=changes_of_all_proportions(most_gpus=6))
def test_no_source_is_nearer(change: Change) -> None:
    for source, (previous, phy2log) in zip(moved(NUMPY, change).source, change.rows(), strict=True):
        for slot, slots in zip(source, reference.nearest(previous, phy2log, change.where), strict=True):
            assert slot in slots if slots else slot == -1


@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_a_slot_keeps_what_it_held(nodes: int) -> None:
    phy2log = np.array([[0, 1, 2, 0, 1, 3, 0, 2]])
    found = moved(NUMPY, Change(phy2log, phy2log, 4, nodes))
    assert found.source.tolist() == [list(range(8))]
    assert not any(x.any() for x in found[1:])


def test_near_ones_come_first_and_the_lowest_slot_of_a_gpu() -> None:
    # Four slots a GPU, two GPUs a node: expert 0 comes from its GPU, from its node, and from elsewhere.
    previous = np.array([[9, 9, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]])
    phy2log = np.array([[0, 9, 0, 4, 0, 1, 1, 1, 0, 2, 2, 2, 3, 3, 3, 3]])
    found = moved(NUMPY, Change(previous, phy2log, 4, 2))
    assert found.source[0, [0, 2, 3, 4, 8]].tolist() == [2, 2, -1, 2, 2]
    assert (found.received.tolist(), found.sent.tolist()) == ([[1, 1, 1, 0]], [[2, 0, 0, 0]])
    assert found.sent_across.tolist() == [[1, 0, 0, 0]]
    assert np.flatnonzero(found.buffered).tolist() == []


@every_library
def test_no_layers(library: Library) -> None:
    none = np.zeros((0, 6), np.int32)
    found = moved(library, Change(none, none, 3, 1))
    assert [x.shape for x in found] == [(0, 6), (0, 3), (0, 3), (0, 3), (0, 6)]
