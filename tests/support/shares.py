"""Plans of any kind and batches to share out, shares made on a library, and what all shares are."""

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from eplb_xp import Shares, rebalance_experts, share_tokens
from tests.support.libraries import Library, NumPyArray, each
from tests.support.references import sharing as reference

Shape = tuple[int, int, int]  # experts, replicas, GPUs
TOLERANCE = 2.0**-10


class Batch(NamedTuple):
    """The expert in each slot, tokens of each expert, and GPUs."""

    phy2log: NumPyArray  # [layers, replicas]
    tokens: NumPyArray  # [layers, experts]
    gpus: int


def random_plan(rng: np.random.Generator, shape: Shape) -> NumPyArray:
    """Any plan, doubled replicas and all."""
    experts, replicas, _ = shape
    return rng.permutation(np.concatenate([np.arange(experts), rng.integers(0, experts, replicas - experts)]))


def ring_plan(rng: np.random.Generator, shape: Shape) -> NumPyArray:
    """One made for shares."""
    experts, replicas, gpus = shape
    return rebalance_experts(rng.pareto(1, (1, experts)), replicas, 1, 1, gpus, policy="ring").phy2log[0]


def greedy_plan(rng: np.random.Generator, shape: Shape) -> NumPyArray:
    """EPLB's."""
    experts, replicas, gpus = shape
    return rebalance_experts(rng.pareto(1, (1, experts)), replicas, 1, 1, gpus, policy="greedy").phy2log[0]


def drawn_plans(seed: int, layers: int, shape: Shape) -> NumPyArray:
    rng = np.random.default_rng(seed)
    kinds = (random_plan, ring_plan, greedy_plan)
    rows = [kinds[rng.integers(len(kinds))](rng, shape) for _ in range(layers)]
    return np.reshape(np.array(rows, np.int64), (layers, shape[1]))


def tokens_of(shape: tuple[int, int], dtype: Any = np.int64) -> st.SearchStrategy[NumPyArray]:
    """Tokens [layers, experts]: few with ties and none, many, or nearly all with one expert."""
    one = st.one_of(st.integers(0, 3), st.integers(0, 10**5), st.sampled_from([0, 1, 2**24 + 1, 10**7]))
    rows = st.lists(st.lists(one, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0])
    return rows.map(lambda drawn: np.reshape(np.array(drawn, dtype), shape))


@st.composite
def batches(draw: st.DrawFn, shapes: list[Shape], layers: int = 3, dtype: Any = np.int64) -> Batch:
    shape = draw(st.sampled_from(shapes))
    phy2log = drawn_plans(draw(st.integers(0, 2**32 - 1)), layers, shape)
    return Batch(phy2log, draw(tokens_of((layers, shape[0]), dtype)), shape[2])


@st.composite
def shapes_of_all_proportions(draw: st.DrawFn) -> Shape:
    gpus, experts, more = draw(st.integers(1, 6)), draw(st.integers(1, 10)), draw(st.integers(0, 3))
    return experts, gpus * (-(-experts // gpus) + more), gpus


def _with_tolerance(phy2log: Any, weight: Any, tolerance: Any, *, num_gpus: int, rounds: int) -> Shares[Any]:
    """The tolerance is an array that all libraries of tests can make."""
    return share_tokens((phy2log, phy2log, weight), weight, num_gpus, rounds=rounds, tolerance=tolerance[0])


def shares(library: Library, batch: Batch, *, rounds: int = 64, tolerance: float = TOLERANCE) -> Shares[NumPyArray]:
    """What the library says."""
    arrays = (batch.phy2log, batch.tokens, np.array([tolerance], np.float32))
    found = library.run(_with_tolerance, *arrays, num_gpus=batch.gpus, rounds=rounds)
    assert isinstance(found, Shares)
    return found


def rounded_down(exact: Fraction) -> np.float32:
    """The largest float32 that is no more."""
    near = np.float32(float(exact))
    return near if Fraction(float(near)) <= exact else np.nextafter(near, np.float32(0))


def assert_as_reference(
    found: Shares[NumPyArray], batch: Batch, rounds: int = 64, tolerance: float = TOLERANCE
) -> None:
    """Bit for bit, layer by layer."""
    for layer, (slots, load) in enumerate(zip(batch.phy2log.tolist(), batch.tokens, strict=True)):
        want = reference.shares(slots, load, batch.gpus, rounds, tolerance)
        assert found.share[layer].tolist() == reference.by_slot(want.taken, slots, batch.gpus)
        assert found.rounds[layer] == want.rounds
        assert found.lower_bound[layer] == rounded_down(want.proof.least)
        if want.proof.tokens:
            assert set(np.flatnonzero(found.proof[layer])) == want.proof.gpus


def assert_consistent(found: Shares[NumPyArray], batch: Batch, total: NumPyArray | None = None) -> None:
    """Sums and holders, and a proof that is counted again: what all shares are, of these whole tokens."""
    phy2log, tokens, gpus = batch
    layers = len(phy2log)
    total = tokens if total is None else total
    assert found.share.shape == phy2log.shape
    assert found.gpu_load.shape == found.proof.shape == (layers, gpus)
    assert found.proof.dtype == np.bool_
    assert (found.share >= 0).all()
    assert (found.rounds >= 0).all()
    np.testing.assert_array_equal(found.gpu_load, found.share.reshape(layers, gpus, -1).sum(axis=2))
    np.testing.assert_array_equal(found.busiest, found.gpu_load.max(axis=1))
    gap = found.busiest / np.where(found.lower_bound > 0, found.lower_bound, 1) - 1
    np.testing.assert_allclose(found.gap, np.where(found.lower_bound > 0, np.clip(gap, 0, None), 0), atol=3e-7)
    for layer, slots in enumerate(phy2log.tolist()):
        for expert, its_tokens in enumerate(total[layer].tolist()):
            assert found.share[layer][phy2log[layer] == expert].sum() == its_tokens
        held = reference.holders(slots, total.shape[1], gpus)
        proof = set(np.flatnonzero(found.proof[layer]).tolist())
        inside = reference.inside(total[layer].tolist(), held, proof)
        assert found.lower_bound[layer] == rounded_down(Fraction(inside, max(len(proof), 1)))
        assert found.lower_bound[layer] <= found.busiest[layer]


def each_layer(found: Shares[NumPyArray], rows: Any) -> Shares[NumPyArray]:
    """Those of some layers."""
    some: Shares[NumPyArray] = each(lambda x: x[rows], found)
    return some


def assert_equal(found: Shares[NumPyArray], want: Shares[NumPyArray]) -> None:
    """All but the gap, which libraries divide each in their own way, bit for bit."""
    for name, ours, theirs in zip(found._fields, found, want, strict=True):
        if name == "gap":
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=3e-7 * (1 + np.max(theirs, initial=0)))
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=name, strict=True)
