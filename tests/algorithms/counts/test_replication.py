"""replicate_experts: the reference's replicas, and the smallest largest replica that any counts can give."""

from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import replicate_experts
from eplb_xp.algorithms.counts import ranking, threshold
from eplb_xp.algorithms.counts.spares import Range
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import batch, counts, every_family, powers_of_two, thorough, weights
from tests.support.references import plan as reference

# layers, experts, replicas: also no spares, one expert, many more replicas than experts, no layers
LAYERS, EXPERTS, REPLICAS = SHAPE = (4, 8, 13)
SHAPES = [SHAPE, (3, 16, 20), (2, 5, 64), (3, 6, 6), (2, 1, 4), (0, 4, 6)]


def assert_replicas(library: Library, weight: NumPyArray, replicas: int) -> None:
    """All results are those of the reference."""
    results = library.run(replicate_experts, weight, num_phy=replicas)
    layers = [reference.replicate(load, replicas) for load in reference.clean(weight)]
    widths = (replicas, replicas, weight.shape[1])
    for i, (got, width) in enumerate(zip(results, widths, strict=True)):
        want = np.reshape(np.array([layer[i] for layer in layers], np.int64), (len(layers), width))
        np.testing.assert_array_equal(got, want, strict=True)


@every_library
@given(data=st.data())
def test_replicas_are_those_of_the_reference(library: Library, data: st.DataObject) -> None:
    layers, experts, replicas = data.draw(st.sampled_from(SHAPES))
    assert_replicas(library, data.draw(weights((layers, experts))), replicas)


@every_library
def test_replicas_of_every_family_of_loads(library: Library) -> None:
    assert_replicas(library, every_family(16), 40)


@every_library
@given(data=st.data())
def test_loads_of_any_dtype_count_as_their_float32(library: Library, data: st.DataObject) -> None:
    assert_replicas(library, data.draw(weights((LAYERS, EXPERTS), library.dtypes)), REPLICAS)


@thorough
@given(data=st.data())
def test_replicas_of_many_sizes(data: st.DataObject) -> None:
    experts, spares = data.draw(st.integers(1, 20)), data.draw(st.integers(0, 60))
    assert_replicas(NUMPY, data.draw(weights((2, experts))), experts + spares)


@every_library
@given(weight=weights((LAYERS, EXPERTS)))
def test_experts_come_first_and_their_replicas_are_numbered(library: Library, weight: NumPyArray) -> None:
    phy2log, rank, logcnt = library.run(replicate_experts, weight, num_phy=REPLICAS)
    assert (phy2log[:, :EXPERTS] == np.arange(EXPERTS)).all()
    assert (logcnt.sum(axis=1) == REPLICAS).all()
    for layer in range(LAYERS):
        for expert in range(EXPERTS):
            turns = rank[layer][phy2log[layer] == expert]
            assert turns.tolist() == list(range(logcnt[layer, expert]))


@every_library
@given(weight=counts((3, 4)))
def test_no_counts_make_the_largest_replica_smaller(library: Library, weight: NumPyArray) -> None:
    _, _, logcnt = library.run(replicate_experts, weight, num_phy=9)
    every = np.array(list(reference.all_counts(4, 9)))
    best = (weight[:, None] / every).max(axis=2).min(axis=1)
    np.testing.assert_array_equal((weight / logcnt).max(axis=1), best)


@every_library
@given(weight=counts((LAYERS, EXPERTS)), power=powers_of_two(LAYERS))
def test_a_power_of_two_changes_nothing(library: Library, weight: NumPyArray, power: NumPyArray) -> None:
    one = library.run(replicate_experts, weight, num_phy=REPLICAS)
    other = library.run(replicate_experts, weight * power, num_phy=REPLICAS)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@given(weight=weights((3, 6)))
def test_more_spares_leave_the_first_ones_as_they_are(weight: NumPyArray) -> None:
    results = [NUMPY.run(replicate_experts, weight, num_phy=replicas) for replicas in range(6, 30, 3)]
    for (fewer, fewer_rank, _), (more, more_rank, _) in pairwise(results):
        np.testing.assert_array_equal(more[:, : fewer.shape[1]], fewer)
        np.testing.assert_array_equal(more_rank[:, : fewer.shape[1]], fewer_rank)


def test_equal_quotients_go_to_the_first_expert() -> None:
    # After 30 / 1, 20 / 1 and 30 / 2 come 10 / 1, 20 / 2, 30 / 3 and 10 / 1: four times 10.
    phy2log, _, logcnt = NUMPY.run(replicate_experts, np.array([[10, 20, 30, 10]]), num_phy=9)
    assert phy2log.tolist() == [[0, 1, 2, 3, 2, 1, 2, 0, 1]]
    assert logcnt.tolist() == [[2, 3, 3, 1]]


def test_without_load_the_first_expert_gets_all_spares() -> None:
    phy2log, rank, _ = NUMPY.run(replicate_experts, np.zeros((1, 3)), num_phy=6)
    assert phy2log.tolist() == [[0, 1, 2, 0, 0, 0]]
    assert rank.tolist() == [[0, 0, 0, 1, 2, 3]]


def test_a_search_that_meets_a_quotient_goes_on_from_the_next_one() -> None:
    _, _, logcnt = NUMPY.run(replicate_experts, np.array([[14, 21]]), num_phy=8)
    assert logcnt.tolist() == [[3, 5]]


def test_a_quotient_just_below_the_last_one_handed_out_gets_nothing() -> None:
    # 1.5603637 / 0.04589305 is 34 in float32, and yet 1.5603637 / 34 is the smaller one of the two.
    _, _, logcnt = NUMPY.run(replicate_experts, np.array([[1.5603637, 0.04589305]], np.float32), num_phy=36)
    assert logcnt.tolist() == [[34, 2]]


@pytest.mark.parametrize("form", [ranking, threshold], ids=["table", "search"])
def test_an_expert_of_the_fewest_replicas_does_not_share_in_a_tie(form: ModuleType) -> None:
    # 2 / 2 is the only quotient handed out; 1 / 1 is as large, but belongs to replicas that every expert has.
    load = np.array([[2, 2, 1]], np.float32)
    assert form.hand_out(LIBRARY, load, 1, Range(2, 6)).count.tolist() == [[3, 2, 2]]


@pytest.mark.parametrize("form", [ranking, threshold], ids=["table", "search"])
def test_a_lighter_expert_may_get_one_more_than_heavier_ones(form: ModuleType) -> None:
    # They are a bit apart, and a third of one is a third of the other: the first expert comes first.
    load = np.array([[1070192251, 1070192252]], np.int32).view(np.float32)
    assert form.hand_out(LIBRARY, load, 5, Range(1, 6)).expert.tolist() == [[1, 0, 1, 0, 0]]
    # With five replicas each so far, sevenths are equal.
    load = np.array([[1071696398, 1071696400, 1071696399, 1066785802, 1071696399]], np.int32).view(np.float32)
    assert form.hand_out(LIBRARY, load, 10, Range(5, 9)).count.tolist() == [[8, 8, 7, 5, 7]]


@thorough
@given(data=st.data())
def test_table_and_search_hand_out_alike(data: st.DataObject) -> None:
    experts, spares, fewest = (data.draw(st.integers(1, most)) for most in (12, 40, 3))
    room = data.draw(st.integers(-(-spares // experts), spares + 1))
    load = np.maximum(scaled(LIBRARY, data.draw(weights((2, experts)))).load, np.float32(2.0**-80))
    table, search = (
        form.hand_out(LIBRARY, load, spares, Range(fewest, fewest + room)) for form in (ranking, threshold)
    )
    for one, other in zip(table, search, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def test_the_most_spares_that_are_let_in() -> None:
    weight = np.concatenate([batch(family, 0, 1, 8) for family in ("geometric .5", "zipf 1.2", "uniform", "ties")])
    assert_replicas(NUMPY, weight, 8 + 4093)
