"""Triton's kernels for placements on rings, interpreted on a CPU: from poisoned memory the plans of NumPy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.kernels import POISON, RING, Interpreted, Sizes, check, launch_of
from tests.support.libraries import NUMPY
from tests.support.loads import FAMILIES, batch, weights
from tests.support.plans import plan
from tests.support.references import rings as reference

# Experts, and replicas, groups, nodes and GPUs.
SIZES = {
    "a spare": (11, (12, 1, 1, 4)),
    "a part of a turn": (14, (18, 1, 1, 6)),
    "a turn": (12, (16, 1, 1, 4)),
    "a turn of more GPUs than a warp has threads": (33, (66, 1, 1, 33)),
    "a turn and a part": (14, (20, 1, 1, 4)),
    "two turns": (10, (20, 1, 1, 5)),
    "three turns and a part": (17, (35, 1, 1, 5)),
    "more turns than strides": (6, (20, 1, 1, 4)),
    "more slots than bits": (40, (70, 1, 1, 2)),
    "rings of three nodes": (12, (24, 6, 3, 12)),
    "rings of the better split": (16, (24, 8, 2, 8)),
}


@pytest.mark.parametrize(("experts", "sizes"), SIZES.values(), ids=SIZES)
def test_every_part_of_a_turn(interpreted: Interpreted, experts: int, sizes: Sizes) -> None:
    assert launch_of(1, experts, sizes, RING).shape.ring
    check(interpreted, batch("lognormal", experts, 1, experts), sizes, RING)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_loads(interpreted: Interpreted, family: str) -> None:
    check(interpreted, batch(family, 1, 2, 8), (12, 4, 2, 4), RING)
    check(interpreted, batch(family, 2, 2, 9), (15, 1, 1, 5), RING)


@pytest.mark.parametrize("sizes", [(16, 1, 1, 4), (24, 1, 1, 4), (20, 6, 2, 4)])
@pytest.mark.parametrize("rounds", [0, 1, 200])
def test_rounds(interpreted: Interpreted, sizes: Sizes, rounds: int) -> None:
    check(interpreted, batch("lognormal", 1, 2, 12), sizes, replace(RING, rounds=rounds))


@pytest.mark.parametrize(("replicas", "seed"), [(16, 23), (20, 7)])  # a turn, two turns
def test_experts_of_one_replica_and_of_several_change_seats(interpreted: Interpreted, replicas: int, seed: int) -> None:
    weight, sizes = batch("lognormal", seed, 1, 12), (replicas, 1, 1, 4)
    levelled = check(interpreted, weight, sizes, RING)
    moved = levelled.phy2log != plan(NUMPY, weight, sizes, policy=replace(RING, rounds=0)).phy2log
    several = np.take_along_axis(levelled.logcnt, levelled.phy2log, axis=1) > 1
    assert (moved & several).any()
    assert (moved & ~several).any()


@pytest.mark.parametrize("threshold", [0.0, 0.05, 1.0])
def test_thresholds(interpreted: Interpreted, threshold: float) -> None:
    check(interpreted, batch("lognormal", 2, 2, 12), (16, 1, 1, 4), replace(RING, threshold=threshold))


@pytest.mark.parametrize(
    ("experts", "sizes", "doubled", "crowded"),
    [(10, (20, 1, 1, 5), True, False), (5, (12, 1, 1, 6), False, True), (9, (35, 1, 1, 7), True, True)],
)
def test_replicas_without_room_on_the_ring(
    interpreted: Interpreted, experts: int, sizes: Sizes, doubled: bool, crowded: bool
) -> None:
    """Two of an expert on one GPU, where it goes on from one turn to the next, or more on a GPU than it has slots."""
    weight, gpus = batch("zipf 1.2", 0, 1, experts), sizes[-1]
    made = check(interpreted, weight, sizes, RING)
    wanted = reference.wanted(made.logcnt[0].tolist(), gpus)
    assert doubled == any(len({*its}) < len(its) for its in wanted)
    assert crowded == (np.bincount([gpu for its in wanted for gpu in its]).max() > sizes[0] // gpus)


@pytest.mark.parametrize("max_replicas", [2, 3, 20])
@pytest.mark.parametrize("sizes", [(12, 1, 1, 4), (12, 4, 2, 4)])
def test_max_replicas(interpreted: Interpreted, sizes: Sizes, max_replicas: int) -> None:
    made = check(interpreted, batch("zipf 2", 4, 1, 8), sizes, RING, max_replicas=max_replicas)
    assert made.log2phy.shape[-1] == max_replicas


# An example takes a fifth of a second.
few = settings(max_examples=-(-settings().max_examples // 2))
problems = st.sampled_from([(8, (12, 1, 1, 4)), (6, (12, 1, 1, 3)), (7, (20, 1, 1, 5)), (8, (12, 4, 2, 4))])
poisons = st.sampled_from([POISON, -1, 0, 1, 2**31 - 1])


@few
@given(
    data=st.data(), problem=problems, rounds=st.integers(0, 5), poison=st.sampled_from([POISON, -1, 0, 1, 2**31 - 1])
)
def test_any_loads(
    interpreted: Interpreted, data: st.DataObject, problem: tuple[int, Sizes], rounds: int, poison: int
) -> None:
    experts, sizes = problem
    check(interpreted, data.draw(weights((1, experts))), sizes, replace(RING, rounds=rounds), poison=poison)
