"""Layers that are rings: no rounds, and no whole tokens of the busiest GPU more than need be."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Shares, rebalance_experts
from tests.algorithms.sharing.test_matchings import by_highs
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.loads import thorough
from tests.support.references import sharing as reference
from tests.support.shares import Batch, Shape, assert_as_reference, assert_consistent, ring_plan, shares, tokens_of

# Closed, open, without links, a link each, two GPUs, one GPU, one slot a GPU.
SHAPES: list[Shape] = [
    *[(8, 12, 4), (10, 12, 4), (12, 12, 4), (6, 9, 3), (5, 6, 2), (5, 7, 1), (6, 6, 6)],
    *[(5, 10, 5), (15, 21, 7), (13, 18, 6), (3, 6, 6)],
]


def turned(phy2log: NumPyArray, gpus: int, rng: np.random.Generator) -> NumPyArray:
    """The same ring from another GPU on, either way round, slots of a GPU mixed."""
    slots = phy2log.reshape(gpus, -1)
    slots = np.roll(slots if rng.random() < 0.5 else slots[::-1], rng.integers(gpus), axis=0)
    return rng.permuted(slots, axis=1).ravel()


@st.composite
def on_rings(draw: st.DrawFn, shapes: list[Shape] = SHAPES, nodes: int = 1) -> Batch:
    """A ring on each of so many nodes."""
    experts, replicas, gpus = draw(st.sampled_from(shapes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rings = [turned(ring_plan(rng, (experts, replicas, gpus)), gpus, rng) + node * experts for node in range(nodes)]
    return Batch(np.concatenate(rings)[None], draw(tokens_of((1, experts * nodes))), gpus * nodes)


def assert_exact(batch: Batch) -> Shares[NumPyArray]:
    """The busiest GPU has what the best shares of whole tokens give it, and the proof says so."""
    found = shares(NUMPY, batch)
    assert_consistent(found, batch)
    held = reference.holders(batch.phy2log[0].tolist(), batch.tokens.shape[1], batch.gpus)
    best = reference.optimum(batch.tokens[0].tolist(), held, batch.gpus)
    assert found.rounds.tolist() == [0]
    assert found.busiest[0] == ceil(best)
    proof = set(np.flatnonzero(found.proof[0]).tolist())
    assert ceil(Fraction(reference.inside(batch.tokens[0].tolist(), held, proof), len(proof))) == ceil(best)
    return found


@thorough
@given(batch=on_rings())
def test_shares_on_a_ring_are_exact(batch: Batch) -> None:
    assert_as_reference(assert_exact(batch), batch)


@thorough
@given(batch=st.one_of(on_rings([(8, 12, 4), (7, 9, 3), (3, 6, 3)], 2), on_rings([(3, 6, 3), (3, 4, 2)], 3)))
def test_nodes_with_a_ring_each_are_exact(batch: Batch) -> None:
    assert_as_reference(assert_exact(batch), batch)


@thorough
@given(data=st.data())
def test_rings_with_gaps_anywhere_are_exact(data: st.DataObject) -> None:
    gpus = data.draw(st.integers(2, 8))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    # Stretches behind each other with gaps, then experts of one replica until all GPUs have equally many.
    held: list[list[int]] = []
    at = first = int(rng.integers(gpus))
    while at < first + gpus - 1:
        length = int(rng.integers(1, first + gpus - at + (len(held) > 0)))
        if rng.random() < 0.7:
            held.append([g % gpus for g in range(at, at + length + 1)][:gpus])
        at += length
    slots: list[list[int]] = [[e for e, its in enumerate(held) if g in its] for g in range(gpus)]
    capacity, experts = max(map(len, slots)) + 1, len(held)
    for gpu in slots:
        while len(gpu) < capacity:
            gpu.append(experts)
            experts += 1
    phy2log = rng.permuted(np.array(slots), axis=1).reshape(1, -1)
    assert_exact(Batch(phy2log, data.draw(tokens_of((1, experts))), gpus))


@pytest.mark.parametrize("shape", [(64, 80, 16), (70, 80, 16), (30, 40, 10)], ids=str)
def test_rings_beside_highs(shape: Shape) -> None:
    rng = np.random.default_rng(shape)
    for _ in range(3):
        batch = Batch(ring_plan(rng, shape)[None], rng.integers(0, 10**5, (1, shape[0])) ** 2 // 10**5, shape[2])
        found = shares(NUMPY, batch)
        assert_as_reference(found, batch)
        assert found.rounds == 0
        assert found.busiest == ceil(by_highs(batch.phy2log[0].tolist(), batch.tokens[0], shape[2]) - 1e-4)


def test_a_large_ring_by_the_proof_alone() -> None:
    rng = np.random.default_rng(0)
    past, tokens = (rng.lognormal(0, 1, (2, 4, 256)) * 1000).astype(np.int64)
    for replicas, gpus in ((288, 32), (384, 128)):
        batch = Batch(rebalance_experts(past, replicas, 1, 1, gpus, policy="ring").phy2log, tokens, gpus)
        found = shares(NUMPY, batch)
        assert_consistent(found, batch)
        assert (found.rounds == 0).all()
        np.testing.assert_array_equal(found.busiest, np.ceil(found.lower_bound))


@given(data=st.data())
def test_the_most_tokens_that_fit(data: st.DataObject) -> None:
    batch = data.draw(on_rings([(8, 12, 4), (5, 10, 5)]))
    busy = data.draw(st.integers(0, batch.tokens.shape[1] - 1))
    batch.tokens[0, busy] = 0
    batch.tokens[0, busy] = 2**30 - 1 - batch.tokens.sum()
    assert_as_reference(assert_exact(batch), batch)


def test_one_expert_has_all_tokens() -> None:
    phy2log = np.array([[0, 1, 1, 2, 2, 0]])  # three GPUs in a ring
    found = assert_exact(Batch(phy2log, np.array([[100, 0, 0]]), 3))
    assert found.share.tolist() == [[50, 0, 0, 0, 0, 50]]
    found = assert_exact(Batch(phy2log, np.array([[100, 0, 51]]), 3))
    assert found.busiest == 51
    found = assert_exact(Batch(phy2log, np.array([[1, 0, 0]]), 3))
    assert found.busiest == 1
