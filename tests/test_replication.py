"""replicate_experts: the reference's replicas, and the smallest largest replica that any counts can give."""

from itertools import pairwise

import numpy as np
import reference
from hypothesis import given
from hypothesis import strategies as st
from libraries import NUMPY, Library, every_library
from loads import counts, weights

from eplb_xp import replicate_experts

# layers, experts, replicas: also no spares, one expert, more spares than experts, no layers
SHAPES = [(4, 8, 13), (3, 16, 20), (2, 5, 64), (3, 6, 6), (2, 1, 4), (0, 4, 6)]
shapes = st.sampled_from(SHAPES)


@every_library
@given(data=st.data())
def test_replicas_are_those_of_the_reference(library: Library, data: st.DataObject) -> None:
    layers, experts, replicas = data.draw(shapes)
    weight = data.draw(weights((layers, experts), library.dtypes))
    results = library.run(replicate_experts, weight, num_phy=replicas)
    expected = [reference.replicate(load, replicas) for load in reference.clean(weight)]
    for got, want in zip(results, zip(*expected, strict=True) if expected else [[]] * 3, strict=True):
        np.testing.assert_array_equal(got, np.reshape(np.array(want, np.int64), (layers, got.shape[1])), strict=True)
    assert [got.shape[1] for got in results] == [replicas, replicas, experts]


@every_library
@given(data=st.data())
def test_every_expert_comes_first_and_the_counts_sum_to_the_replicas(library: Library, data: st.DataObject) -> None:
    layers, experts, replicas = data.draw(shapes)
    weight = data.draw(weights((layers, experts), library.dtypes))
    phy2log, rank, logcnt = library.run(replicate_experts, weight, num_phy=replicas)
    assert (phy2log[:, :experts] == np.arange(experts)).all()
    assert (rank[:, :experts] == 0).all()
    assert (logcnt.sum(axis=1) == replicas).all()
    for layer in range(layers):
        for expert in range(experts):
            turns = rank[layer][phy2log[layer] == expert]
            assert turns.tolist() == list(range(logcnt[layer, expert]))


@every_library
@given(data=st.data())
def test_no_counts_make_the_largest_replica_smaller(library: Library, data: st.DataObject) -> None:
    layers, experts, replicas = data.draw(st.sampled_from([(3, 4, 9), (3, 5, 7)]))
    weight = data.draw(counts((layers, experts)))
    _, _, logcnt = library.run(replicate_experts, weight, num_phy=replicas)
    every = np.array(list(reference.all_counts(experts, replicas)))
    best = (weight[:, None].astype(np.float64) / every).max(axis=2).min(axis=1)
    np.testing.assert_array_equal((weight.astype(np.float64) / logcnt).max(axis=1), best)


@every_library
@given(data=st.data())
def test_a_power_of_two_changes_nothing(library: Library, data: st.DataObject) -> None:
    layers, experts, replicas = data.draw(shapes)
    weight = data.draw(counts((layers, experts), most=2**20))
    exponents = data.draw(st.lists(st.integers(-126, 107), min_size=layers, max_size=layers))
    scaled = np.ldexp(weight, np.reshape(exponents, (layers, 1)).astype(int))
    for one, other in zip(
        library.run(replicate_experts, weight, num_phy=replicas),
        library.run(replicate_experts, scaled, num_phy=replicas),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@given(data=st.data())
def test_one_replica_more_leaves_the_others_as_they_are(data: st.DataObject) -> None:
    weight = data.draw(weights((3, 6)))
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


def test_thousands_of_replicas_of_one_expert() -> None:
    weight = np.array([[4000.5, 1.0, 0.0], [3.0, 2.0, 1.0]])
    expected = [reference.replicate(load, 4096) for load in reference.clean(weight)]
    for got, want in zip(NUMPY.run(replicate_experts, weight, num_phy=4096), zip(*expected, strict=True), strict=True):
        np.testing.assert_array_equal(got, want)
