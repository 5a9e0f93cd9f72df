"""Chains: from any choice to one in which no GPU sends more than it must."""

import numpy as np
from hypothesis import given

from eplb_xp.algorithms.rows import count
from eplb_xp.algorithms.transfers.balancing import balanced
from eplb_xp.algorithms.transfers.choosing import Chosen, sent_by
from eplb_xp.algorithms.transfers.copies import nearest
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array
from tests.support.changes import Change, changes, changes_of_all_proportions
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import transfers as reference
from tests.support.steps import run_step

# Plans of few experts, so that there is much to choose from.
SHAPE = (5, 12, 6)


def from_first(lib: Standard, previous: Array, phy2log: Array, *, gpus: int, nodes: int) -> tuple[Array, ...]:
    """What GPUs send, and from where, after all slots with a choice took from the first GPU."""
    xp = lib.xp
    slots = phy2log.shape[-1]
    previous, phy2log = (xp.astype(x, lib.index_dtype) for x in (previous, phy2log))
    copies = nearest(lib, xp.where(previous < 0, slots, previous), phy2log, gpus, nodes)
    is_open = copies.gpus > 1
    first = xp.where(copies.begin < copies.end, copies.begin, 0)
    found = balanced(lib, copies, Chosen(first, sent_by(lib, lib.take_along_axis(copies.gpu, first), is_open, gpus)))
    return found.sent, lib.take_along_axis(copies.slot, found.copy), is_open, count(lib, is_open)


def assert_least(found: tuple[NumPyArray, ...], change: Change) -> None:
    """Of the slots that have a choice: all take from one that is nearest, and no choice is better."""
    for sent, source, is_open, (previous, phy2log) in zip(*found[:3], change.rows(), strict=True):
        # Without a choice a slot takes nothing.
        wanted = [expert if opened else -2 for expert, opened in zip(phy2log, is_open, strict=True)]
        choices = reference.nearest(previous, phy2log, change.where)
        taken = [slot for slot, opened in zip(source.tolist(), is_open, strict=True) if opened]
        assert all(a in b for a, b in zip(taken, (c for c, o in zip(choices, is_open, strict=True) if o), strict=True))
        gpu = np.array([change.where.gpu(slot) for slot in taken], np.int64)
        np.testing.assert_array_equal(sent, np.bincount(gpu, minlength=change.gpus))
        assert sent.max() == reference.least_busiest(previous, wanted, change.where)


@every_library
@given(change=changes(SHAPE, nodes=2))
def test_chains_find_the_least_on_every_library(library: Library, change: Change) -> None:
    found = run_step(library, from_first, change.previous, change.phy2log, gpus=change.gpus, nodes=change.nodes)
    assert_least(found, change)


@thorough
@given(change=changes_of_all_proportions())
def test_chains_find_the_least_of_many_sizes(change: Change) -> None:
    found = from_first(LIBRARY, change.previous, change.phy2log, gpus=change.gpus, nodes=change.nodes)
    assert_least(found, change)
