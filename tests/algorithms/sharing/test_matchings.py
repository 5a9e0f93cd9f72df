"""Shares of any plan, on every library: those of the reference, what all shares are, and layers by themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import sharing as reference
from tests.support.references.stretches import stretches
from tests.support.shares import (
    TOLERANCE,
    Batch,
    Shape,
    assert_as_reference,
    assert_consistent,
    assert_equal,
    batches,
    each_layer,
    random_plan,
    shapes_of_all_proportions,
    shares,
    tokens_of,
)

ONE_SHAPE: list[Shape] = [(8, 12, 4)]
tolerances = st.sampled_from([0.0, 2.0**-10, 0.01, 0.3, 1.0])


@every_library
@given(batch=batches(ONE_SHAPE, dtype=np.int32), tolerance=tolerances)
def test_shares_are_those_of_the_reference(library: Library, batch: Batch, tolerance: float) -> None:
    found = shares(library, batch, tolerance=tolerance)
    assert_as_reference(found, batch, tolerance=tolerance)
    assert_consistent(found, batch)


@thorough
@given(data=st.data(), rounds=st.sampled_from([0, 1, 2, 5, 64]), tolerance=tolerances)
def test_shares_of_many_sizes(data: st.DataObject, rounds: int, tolerance: float) -> None:
    batch = data.draw(batches([data.draw(shapes_of_all_proportions())], layers=2))
    found = shares(NUMPY, batch, rounds=rounds, tolerance=tolerance)
    assert_as_reference(found, batch, rounds, tolerance)
    assert_consistent(found, batch)


@thorough
@given(batch=batches([(8, 12, 4), (6, 12, 4), (5, 12, 6), (3, 20, 5), (9, 10, 5)]))
def test_the_best_shares_lie_between_bound_and_busiest(batch: Batch) -> None:
    found = shares(NUMPY, batch)
    for layer, slots in enumerate(batch.phy2log.tolist()):
        held = reference.holders(slots, batch.tokens.shape[1], batch.gpus)
        best = reference.optimum(batch.tokens[layer].tolist(), held, batch.gpus)
        assert found.lower_bound[layer] <= best <= found.busiest[layer]
        least = np.ceil(found.lower_bound[layer].astype(np.float64))
        # A bound is rounded up to whole tokens before the tolerance comes on top.
        assert found.rounds[layer] >= 64 or found.busiest[layer] <= (least + 1) * (1 + TOLERANCE)


@given(data=st.data())
def test_layers_do_not_touch_each_other(data: st.DataObject) -> None:
    # More of them than have their turn at once.
    batch = data.draw(batches([(8, 12, 4)], layers=12))
    together = shares(NUMPY, batch)
    order = np.array(data.draw(st.permutations(range(12))))
    assert_equal(each_layer(together, order), shares(NUMPY, Batch(batch.phy2log[order], batch.tokens[order], 4)))
    for layer in order[:3]:
        alone = Batch(batch.phy2log[[layer]], batch.tokens[[layer]], 4)
        assert_equal(each_layer(together, [layer]), shares(NUMPY, alone))


def slow(layers: int) -> Batch:
    """Links in a row, most tokens at its end, and two experts on the first two GPUs, so that it is no ring."""
    gpus, tokens = 12, np.zeros((layers, 24), np.int64)
    slots: list[list[int]] = [[gpu - 1, gpu] for gpu in range(gpus)]
    slots[0][0] = slots[-1][1] = 11
    singles = iter(range(12, 24))
    phy2log = np.array([[*its, 11 if gpu == 1 else next(singles)] for gpu, its in enumerate(slots)]).ravel()
    phy2log[-2] = next(singles)
    tokens[:, :11] = np.array([0, 10, 10**5])[np.arange(layers) % 3, None]
    tokens[:, 0] *= 6
    return Batch(np.tile(phy2log, (layers, 1)), tokens, gpus)


def test_layers_that_need_many_rounds_take_turns_with_others() -> None:
    batch = slow(40)
    found = shares(NUMPY, batch, tolerance=0.0)
    assert found.rounds[:3].tolist() == sorted({*found.rounds.tolist()})  # none, some, and more than two turns
    for kind in range(3):
        alone = shares(NUMPY, Batch(batch.phy2log[:1], batch.tokens[kind : kind + 1], 12), tolerance=0.0)
        for layer in range(kind, 40, 3):
            assert_equal(each_layer(found, [layer]), alone)


@pytest.mark.parametrize("rounds", [0, 1, 7])
def test_no_more_rounds_than_asked_for(rounds: int) -> None:
    found = shares(NUMPY, slow(3), rounds=rounds, tolerance=0.0)
    assert found.rounds.max() <= rounds


@given(batch=batches([(8, 12, 4), (3, 12, 4)]))
def test_without_rounds_shares_are_equal_unless_the_layer_is_a_ring(batch: Batch) -> None:
    found = shares(NUMPY, batch, rounds=0)
    for layer, slots in enumerate(batch.phy2log.tolist()):
        held = reference.holders(slots, batch.tokens.shape[1], batch.gpus)
        if stretches(held, batch.gpus) is None:
            for expert, its in enumerate(held):
                taken = found.share[layer][batch.phy2log[layer] == expert]
                assert sorted(taken)[-len(its) :] == sorted(
                    reference.equal(batch.tokens[layer].tolist(), held)[expert, gpu] for gpu in its
                )


@given(batch=batches([(8, 12, 4), (3, 12, 4)]), rounds=st.integers(0, 5))
def test_shares_are_never_worse_than_equal_ones(batch: Batch, rounds: int) -> None:
    # The first holders having a token more; without rounds it may be others, and fewer on the busiest GPU.
    found = shares(NUMPY, batch, rounds=rounds)
    for layer, slots in enumerate(batch.phy2log.tolist()):
        held = reference.holders(slots, batch.tokens.shape[1], batch.gpus)
        equal = reference.equal(batch.tokens[layer].tolist(), held)
        assert found.busiest[layer] <= max(reference.loads(equal, batch.gpus))


def by_highs(slots: list[int], tokens: NumPyArray, gpus: int) -> float:
    """The least load of the busiest GPU, by linear programming."""
    optimize = pytest.importorskip("scipy.optimize")
    held = reference.holders(slots, len(tokens), gpus)
    pairs = [(expert, gpu) for expert, its in enumerate(held) for gpu in its]
    expert, gpu = np.array(pairs).T
    column = np.arange(len(pairs))
    sums, loads = np.zeros((len(tokens), len(pairs) + 1)), np.zeros((gpus, len(pairs) + 1))
    sums[expert, column] = loads[gpu, column] = 1
    loads[:, -1] = -1
    costs = np.zeros(len(pairs) + 1)
    costs[-1] = 1
    found = optimize.linprog(costs, loads, np.zeros(gpus), sums, tokens, method="highs")
    assert found.success, found.message
    return float(found.fun)


@pytest.mark.parametrize("shape", [(16, 24, 4), (64, 96, 16), (64, 72, 8)], ids=str)
def test_random_plans_beside_highs(shape: Shape) -> None:
    rng = np.random.default_rng(shape)
    phy2log = np.stack([random_plan(rng, shape) for _ in range(6)])
    tokens = rng.integers(0, 10**6, (6, shape[0])) ** 2 // 10**6
    found = shares(NUMPY, Batch(phy2log, tokens, shape[2]))
    for layer, slots in enumerate(phy2log.tolist()):
        best = by_highs(slots, tokens[layer], shape[2])
        assert found.lower_bound[layer] <= best * (1 + 1e-7)
        assert best * (1 - 1e-9) <= found.busiest[layer] <= best * (1 + TOLERANCE) + 1
    assert (found.rounds < 64).all()


@pytest.mark.parametrize("seed", [30, 38, 43, 78, 86, 162, 250, 571, 659])
def test_few_tokens_level_in_parts_of_tokens_and_as_whole_ones_some_rounds_more(seed: int) -> None:
    # Of those of which a round or a part more or less gives other shares.
    rng, shape = np.random.default_rng(seed), [(12, 18, 6), (8, 12, 4), (6, 15, 5), (20, 40, 8)][seed % 4]
    phy2log = random_plan(rng, shape)[None]
    batch = Batch(phy2log, rng.integers(0, [10, 40, 200, 2000][seed // 4 % 4], (1, shape[0])), shape[2])
    assert_as_reference(shares(NUMPY, batch, tolerance=0.0), batch, tolerance=0.0)


@pytest.mark.parametrize("bits", [1, 5, 16])
def test_as_many_parts_as_fit(bits: int) -> None:
    rng, shape = np.random.default_rng(bits), (8, 12, 4)
    for more in (0, 1):
        tokens = rng.integers(0, 2**30 >> bits + 4, (6, 8))
        tokens[:, 0] += ((2**30 - 1) >> bits) + more - tokens.sum(axis=1)
        batch = Batch(np.stack([random_plan(rng, shape) for _ in range(6)]), tokens, 4)
        assert_as_reference(shares(NUMPY, batch, tolerance=0.0), batch, tolerance=0.0)


@every_library
def test_layers_without_tokens_with_one_and_with_one_busy_expert(library: Library) -> None:
    rng = np.random.default_rng(5)
    rows = [np.zeros(8), np.eye(8)[3], np.eye(8)[0] * 12345, np.ones(8), np.full(8, 2**27 - 1)]
    for first in (0, 2):
        tokens = np.array(rows[first : first + 3], np.int32)
        batch = Batch(np.stack([random_plan(rng, ONE_SHAPE[0]) for _ in range(3)]), tokens, 4)
        found = shares(library, batch)
        assert_as_reference(found, batch)
        assert_consistent(found, batch)
        if first == 0:
            assert found.gap[0] == found.lower_bound[0] == found.busiest[0] == 0
            assert found.busiest[1] == 1


@pytest.mark.parametrize("layers", [0, 1])
def test_no_layers(layers: int) -> None:
    batch = Batch(np.zeros((layers, 4), np.int64), np.full((layers, 1), 10), 2)
    found = shares(NUMPY, batch)
    assert [len(x) for x in found] == [layers] * 7
    assert found.share.tolist() == [[5, 0, 5, 0]] * layers


@given(data=st.data(), scale=st.integers(1, 9))
def test_the_most_tokens_that_fit(data: st.DataObject, scale: int) -> None:
    rest = data.draw(tokens_of((1, 8)))
    rest[0, 0] = 2**30 - 1 - rest[0, 1:].sum()
    phy2log = random_plan(np.random.default_rng(scale), (8, 12, 4))[None]
    found = shares(NUMPY, Batch(phy2log, rest, 4))
    assert_as_reference(found, Batch(phy2log, rest, 4))
    assert_consistent(found, Batch(phy2log, rest, 4))
