"""Policy "ring": plans of the reference on every library, full packs, no doubles, and rings that share out exactly."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import POLICIES, prepare_shares
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import FAMILIES, batch, thorough, weights
from tests.support.plans import assert_same, plan, problems, report_of
from tests.support.references import policies as reference
from tests.support.references import sharing
from tests.support.references.stretches import stretch

RING = POLICIES["ring"]
Sizes = tuple[int, ...]  # replicas, groups, nodes, GPUs


def families(experts: int) -> NumPyArray:
    """One layer of each."""
    return np.concatenate([batch(family, i, 1, experts) for i, family in enumerate(FAMILIES)])


@every_library
def test_plans_are_those_of_the_reference(library: Library) -> None:
    weight, sizes = families(16), (24, 8, 2, 8)
    assert_same(plan(library, weight, sizes, policy="ring"), reference.plan(weight, *sizes, policy=RING))


ODD: list[tuple[int, Sizes]] = [
    *[(6, (8, 1, 1, 4)), (60, (80, 1, 1, 8)), (8, (128, 1, 1, 8)), (5, (8, 1, 1, 4)), (5, (5, 1, 1, 5))],
    *[(5, (20, 1, 1, 4)), (5, (23, 1, 1, 1)), (7, (14, 1, 1, 14)), (9, (27, 1, 1, 3)), (12, (48, 3, 3, 12))],
    *[(8, (48, 2, 2, 6)), (10, (24, 1, 1, 12)), (4, (26, 1, 1, 13)), (3, (6, 1, 1, 2)), (1, (4, 1, 1, 4))],
]


@pytest.mark.parametrize(("experts", "sizes"), ODD, ids=str)
def test_odd_sizes(experts: int, sizes: Sizes) -> None:
    weight = families(experts)[:: 4 if experts > 50 else 1]
    made = plan(NUMPY, weight, sizes, policy="ring")
    assert_same(made, reference.plan(weight, *sizes, policy=RING))
    replicas, _, nodes, gpus = sizes
    assert (report_of(made, weight, sizes).doubled == max(0, replicas - experts // nodes * gpus)).all()
    for layer in range(len(weight)):
        assert set(made.phy2log[layer].tolist()) == set(range(experts))
        assert made.logcnt[layer].tolist() == [n for _, n in sorted(Counter(made.phy2log[layer].tolist()).items())]


@pytest.mark.parametrize(
    ("experts", "sizes"), [(256, (288, 1, 1, 36)), (256, (320, 8, 4, 32)), (256, (384, 1, 1, 128))], ids=str
)
def test_large_sizes(experts: int, sizes: Sizes) -> None:
    weight = families(experts)[1:2]
    made = plan(NUMPY, weight, sizes, policy="ring")
    assert_same(made, reference.plan(weight, *sizes, policy=RING))
    assert (report_of(made, weight, sizes).doubled == 0).all()


@thorough
@given(problem=problems(), rounds=st.integers(0, 12), room=st.integers(0, 4), threshold=st.sampled_from([0.0, 0.01]))
def test_plans_of_many_sizes(problem: tuple[NumPyArray, Sizes], rounds: int, room: int, threshold: float) -> None:
    weight, sizes = problem
    replicas, groups, nodes, gpus = sizes
    experts = weight.shape[1]
    policy = replace(RING, rounds=rounds, threshold=threshold)
    cap = min(-(-replicas // experts) + room, replicas)
    for most in (None, cap):
        made = plan(NUMPY, weight, sizes, policy=policy, max_replicas=most)
        assert_same(made, reference.plan(weight, *sizes, policy=policy, max_replicas=most))
        reach = experts // nodes * gpus if groups % nodes == 0 else experts * gpus
        assert (report_of(made, weight, sizes).doubled == max(0, replicas - reach)).all()
        assert made.logcnt.min() >= 1
    assert made.logcnt.max() <= cap


def linked(phy2log: NumPyArray, experts: int, gpus: int) -> list[list[int]]:
    """The links that experts own, given as the GPU that each leads on from, of each layer that is a ring of all."""
    found = prepare_shares((phy2log, phy2log, np.zeros((len(phy2log), experts), np.int64)), gpus)
    links = []
    for layer, slots in enumerate(phy2log.tolist()):
        held = sharing.holders(slots, experts, gpus)
        size = int(found.size[layer, 0])
        assert size > 0
        starts = found.start[layer].tolist()
        several = [(first, len(its)) for first, its in zip(starts, held, strict=True) if first >= 0]
        links.append(sorted(gpu for first, length in several for gpu in stretch(first, length, size)[:-1]))
    return links


@given(weight=weights((3, 9)))
def test_as_many_spares_as_gpus_close_the_ring(weight: NumPyArray) -> None:
    made = plan(NUMPY, weight, (12, 1, 1, 3), policy="ring")
    assert linked(made.phy2log, 9, 3) == [[0, 1, 2]] * 3


@given(weight=weights((3, 16)))
def test_the_ring_of_all_gpus_is_closed_unless_two_experts_have_all_spares(weight: NumPyArray) -> None:
    made = plan(NUMPY, weight, (24, 1, 1, 8), policy="ring")
    assert linked(made.phy2log, 16, 8) == [list(range(8))] * 3


@given(weight=weights((3, 14)))
def test_fewer_spares_leave_it_open(weight: NumPyArray) -> None:
    made = plan(NUMPY, weight, (16, 1, 1, 4), policy="ring")
    assert all(len(links) == len(set(links)) == 2 for links in linked(made.phy2log, 14, 4))


@given(weight=weights((2, 12)))
def test_each_node_has_a_ring_of_its_own(weight: NumPyArray) -> None:
    made = plan(NUMPY, weight, (18, 2, 2, 6), policy="ring")
    assert linked(made.phy2log, 12, 6) == [list(range(6))] * 2


@pytest.mark.parametrize("seed", range(3))
def test_twice_as_many_spares_go_round_twice_by_other_strides(seed: int) -> None:
    experts, gpus = 30, 10
    weight = np.random.default_rng(seed).uniform(1, 3, (1, experts))  # at most two or three replicas each
    made = plan(NUMPY, weight, (50, 1, 1, gpus), policy="ring")
    held = sharing.holders(made.phy2log[0].tolist(), experts, gpus)
    pairs = Counter(tuple(its) for its in held if len(its) == 2)
    steps = {(b - a) % gpus for a, b in pairs} | {(a - b) % gpus for a, b in pairs}
    assert {1, gpus - 1} < steps
    assert max(pairs.values()) == 1


@given(weight=weights((3, 8)))
def test_counts_are_those_of_policy_swap(weight: NumPyArray) -> None:
    for sizes in ((12, 1, 1, 4), (20, 1, 1, 4), (12, 2, 2, 4)):
        ours, theirs = (plan(NUMPY, weight, sizes, policy=policy).logcnt for policy in ("ring", "swap"))
        if sizes[1] == 1:
            np.testing.assert_array_equal(ours, theirs)
        assert ours.max() <= sizes[3] // sizes[2]
