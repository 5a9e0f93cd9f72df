"""Quotas: those of the reference on every library, what adds up, and near ones first."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import quotas
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import routing as reference
from tests.support.routing import Batch, batches, rows
from tests.support.shares import Shape, shapes_of_all_proportions

SHAPE: Shape = (6, 12, 4)


def both(shares: Any, plan: Any, counts: Any, rank: Any, *, num_nodes: int) -> tuple[Any, Any]:
    """Of all ranks, and of one in an array."""
    return quotas(shares, plan, counts, num_nodes=num_nodes), quotas(
        shares, plan, counts, num_nodes=num_nodes, rank=rank[0]
    )


def expected(batch: Batch, nodes: int) -> NumPyArray:
    arrays = rows((batch.shares.share, batch.plan.log2phy, batch.plan.logcnt, batch.counts))
    found = [reference.quotas(share, maps, number, counts, nodes) for share, maps, number, counts in arrays]
    return np.reshape(found, (*batch.counts.shape, batch.plan.log2phy.shape[-1]))


@every_library
@given(batch=batches([SHAPE]), rank=st.integers(0, 3))
def test_quotas_are_those_of_the_reference(library: Library, batch: Batch, rank: int) -> None:
    everyones, its = library.run(both, *batch, np.array([rank], np.int32), num_nodes=2)
    want = expected(batch, 2)
    np.testing.assert_array_equal(everyones, want)
    np.testing.assert_array_equal(its, want[:, rank])


@thorough
@given(data=st.data())
def test_quotas_of_many_sizes(data: st.DataObject) -> None:
    batch = data.draw(batches([data.draw(shapes_of_all_proportions())], layers=2))
    ranks = batch.counts.shape[1]
    nodes = data.draw(st.sampled_from([n for n in range(1, ranks + 1) if ranks % n == 0]))
    want = expected(batch, nodes)
    np.testing.assert_array_equal(quotas(*batch, num_nodes=nodes), want)
    rank = data.draw(st.integers(0, ranks - 1))
    np.testing.assert_array_equal(quotas(*batch, num_nodes=nodes, rank=rank), want[:, rank])


@thorough
@given(batch=batches([(6, 12, 4), (9, 16, 8), (5, 12, 6)], layers=1), nodes=st.sampled_from([1, 2]))
def test_ranks_have_all_their_tokens_and_replicas_their_shares(batch: Batch, nodes: int) -> None:
    share, (phy2log, log2phy, _), counts = batch.shares.share, batch.plan, batch.counts
    ranks = counts.shape[1]
    quota = quotas(*batch, num_nodes=nodes)
    number = np.diff(quota, axis=-1, prepend=0)
    assert (number >= 0).all()
    np.testing.assert_array_equal(quota[..., -1], counts)
    layer, expert, replica = np.nonzero(log2phy >= 0)
    slot = log2phy[layer, expert, replica]
    np.testing.assert_array_equal(number.sum(axis=1)[layer, expert, replica], share[layer, slot])
    assert number.sum() == share.sum()

    # As much as can stay on a GPU does, and as much of a node's on the node.
    gpu = slot // (phy2log.shape[1] // ranks)
    for size in (1, ranks // nodes):
        near, room = np.zeros_like(counts), np.zeros_like(counts)
        for rank in range(ranks):
            here = gpu // size == rank // size
            np.add.at(near, (layer[here], rank, expert[here]), number[layer[here], rank, expert[here], replica[here]])
            np.add.at(room, (layer[here], rank, expert[here]), share[layer[here], slot[here]])
        groups = (len(counts), ranks // size, size, -1)
        near, need = (x.reshape(groups).sum(axis=2) for x in (near, counts))
        np.testing.assert_array_equal(near, np.minimum(need, room.reshape(groups)[:, :, 0]))


@every_library
@given(batch=batches([SHAPE]), seed=st.integers(0, 2**32 - 1))
def test_counts_of_another_batch_are_all_routed_or_refused(library: Library, batch: Batch, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.abs(batch.counts + rng.integers(-20, 20, batch.counts.shape))
    counts[0, 0, 0] += 1
    shares = batch.shares._replace(share=np.where(rng.random(batch.shares.share.shape) < 0.5, batch.shares.share, 0))
    other = Batch(shares, batch.plan, counts)
    if library.reads_values:
        with pytest.raises(ValueError, match="counts must be of the batch that the shares are of"):
            library.run(both, *other, np.array([0], np.int32), num_nodes=2)
        return
    quota, _ = library.run(both, *other, np.array([0], np.int32), num_nodes=2)
    np.testing.assert_array_equal(quota, expected(other, 2))
    np.testing.assert_array_equal(quota[..., -1], counts)


@given(batch=batches([SHAPE], layers=0))
def test_no_layers(batch: Batch) -> None:
    assert quotas(*batch).shape == (0, 4, 6, 7)
    assert quotas(*batch, rank=3).shape == (0, 6, 7)
