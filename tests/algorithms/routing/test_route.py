"""Routes: those of the reference on every library; in chunks; as many tokens a slot as its quota says."""

from typing import Any

import array_api_compat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import quotas, route
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import routing as reference
from tests.support.routing import Batch, batches
from tests.support.shares import Shape, shapes_of_all_proportions

SHAPE: Shape = (6, 12, 4)


def routed(experts: Any, log2phy: Any, logcnt: Any, quota: Any, first: Any) -> tuple[Any, ...]:
    """Each layer in all ways: [layers, tokens, top_k], four times."""
    ways = [
        [route(its, plan), route(its, plan, first=begin), route(its, plan, until), route(its, plan, until, first=begin)]
        for its, until, begin, *plan in (
            [x[layer, ...] for x in (experts, quota, first, log2phy, logcnt)] for layer in range(experts.shape[0])
        )
    ]
    return tuple(array_api_compat.array_namespace(experts).stack(way) for way in zip(*ways, strict=True))


def expected(experts: NumPyArray, plan: Any, quota: NumPyArray, first: NumPyArray) -> list[NumPyArray]:
    layers = [[x.tolist() for x in its] for its in zip(experts, *plan[1:], quota, first, strict=True)]
    ways: list[list[Any]] = [
        [
            reference.route(its, log2phy, logcnt),
            reference.route(its, log2phy, logcnt, None, begin),
            reference.route(its, log2phy, logcnt, until),
            reference.route(its, log2phy, logcnt, until, begin),
        ]
        for its, log2phy, logcnt, until, begin in layers
    ]
    return [np.reshape(way, experts.shape) for way in zip(*ways, strict=True)]


def drawn_experts(batch: Batch, seed: int, tokens: int, choices: int) -> NumPyArray:
    """Some that are none among them."""
    rng = np.random.default_rng(seed)
    layers, experts = batch.plan.logcnt.shape
    found = rng.integers(0, experts, (layers, tokens, choices)) // rng.integers(1, 4, (layers, tokens, 1))
    return np.where(rng.random(found.shape) < 0.1, rng.integers(-9, 0, found.shape), found).astype(np.int32)


@every_library
@given(batch=batches([SHAPE], layers=2, most=16), seed=st.integers(0, 2**32 - 1))
def test_routes_are_those_of_the_reference(library: Library, batch: Batch, seed: int) -> None:
    experts = drawn_experts(batch, seed, 6, 2)
    quota = quotas(*batch, rank=1)
    first = np.random.default_rng(seed).integers(0, [5], batch.plan.logcnt.shape)
    found = library.run(routed, experts, *batch.plan[1:], quota, first)
    for ours, theirs in zip(found, expected(experts, batch.plan, quota, first), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@thorough
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), tokens=st.integers(0, 40), choices=st.integers(0, 3))
def test_routes_of_many_sizes(data: st.DataObject, seed: int, tokens: int, choices: int) -> None:
    batch = data.draw(batches([data.draw(shapes_of_all_proportions())], layers=1, most=30))
    experts = drawn_experts(batch, seed, tokens, choices)
    quota = quotas(*batch, rank=0)
    first = np.random.default_rng(seed).integers(0, [9], batch.plan.logcnt.shape)
    found = routed(experts, *batch.plan[1:], quota, first)
    for ours, theirs in zip(found, expected(experts, batch.plan, quota, first), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def tokens_of(counts: NumPyArray, rng: np.random.Generator) -> NumPyArray:
    """So many of each expert, in any order: [tokens, 1]."""
    return rng.permutation(np.repeat(np.arange(len(counts)), counts))[:, None]


@given(batch=batches([(6, 12, 4), (5, 12, 6), (9, 16, 8)], layers=1), seed=st.integers(0, 2**32 - 1))
def test_slots_take_their_shares_whatever_the_chunks(batch: Batch, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (phy2log, log2phy, logcnt), counts = (x[0] for x in batch.plan), batch.counts[0]
    plan, taken = (phy2log, log2phy, logcnt), np.zeros_like(phy2log)
    for rank, its in enumerate(counts):
        experts = tokens_of(its, rng)
        quota = quotas(*batch, num_nodes=2, rank=rank)[0]
        slot = route(experts, plan, quota)
        np.testing.assert_array_equal(phy2log[slot], experts)
        taken += np.bincount(slot.ravel(), minlength=len(phy2log))

        cut = rng.integers(0, len(experts) + 1)
        first = np.bincount(experts[:cut, 0], minlength=len(logcnt))
        for until in (quota, None):
            chunks = [route(experts[:cut], plan, until), route(experts[cut:], plan, until, first=first)]
            np.testing.assert_array_equal(np.concatenate(chunks), route(experts, plan, until))
    np.testing.assert_array_equal(taken, batch.shares.share[0])


@given(batch=batches([(6, 12, 4), (5, 12, 6)], layers=1), seed=st.integers(0, 2**32 - 1))
def test_replicas_that_take_turns_differ_by_a_token(batch: Batch, seed: int) -> None:
    _, log2phy, logcnt = (x[0] for x in batch.plan)
    slot = route(tokens_of(batch.counts[0, 0], np.random.default_rng(seed)), (log2phy, logcnt))
    taken = np.bincount(slot.ravel(), minlength=12)
    for expert, number in enumerate(logcnt):
        its = taken[log2phy[expert, :number]]
        assert its.max() - its.min() <= 1
        assert (np.diff(its) <= 0).all()


LOG2PHY, LOGCNT = np.array([[0, 3, 4], [1, -1, -1], [2, 5, -1]]), np.array([3, 1, 2])
MANY = np.array([[0, 3], [2, -1], [255, 0], [127, 2]])


def in_one_layer(experts: Any, log2phy: Any, logcnt: Any) -> Any:
    return route(experts[0, ...], (log2phy[0, ...], logcnt[0, ...]))[None, ...]


@every_library
def test_experts_that_are_not_there(library: Library) -> None:
    arrays = MANY[None], LOG2PHY[None], LOGCNT[None]
    if library.reads_values:
        with pytest.raises(
            ValueError, match=r"experts names one that is not there: 255 at \[2, 0\], experts are 0 to 2"
        ):
            library.run(in_one_layer, *arrays)
    else:
        found = library.run(in_one_layer, *arrays)
        np.testing.assert_array_equal(found, [[[0, -1], [2, -1], [-1, 3], [-1, 5]]])


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_of_any_width(name: str) -> None:
    experts, quota = np.array([[0, 1], [0, 2], [2, 0]]), np.array([[1, 1, 4], [1, 1, 1], [0, 2, 2]])
    given_ones = [x.astype(name) for x in (experts, LOGCNT, quota)]
    want = route(experts, (LOG2PHY, LOGCNT), quota)
    np.testing.assert_array_equal(route(given_ones[0], (LOG2PHY, given_ones[1]), given_ones[2]), want)
    if not name.startswith("u"):
        found = route(experts, (LOG2PHY.astype(name), LOGCNT), quota)
        assert found.dtype == name
        np.testing.assert_array_equal(found, want)
