"""Which plans are rings: beside a definition that tries all ways."""

from collections.abc import Iterator
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Prepared, prepare_shares, rebalance_experts
from tests.support.libraries import NumPyArray
from tests.support.loads import thorough
from tests.support.references import sharing as reference
from tests.support.references.stretches import around, stretch, stretches
from tests.support.shares import Shape, drawn_plans, shapes_of_all_proportions


def prepared(phy2log: NumPyArray, experts: int, gpus: int) -> Prepared[NumPyArray]:
    none = np.zeros((len(phy2log), experts), np.int64)
    return prepare_shares((phy2log, none, none), gpus)


def ways(its: list[int], size: int) -> Iterator[list[int]]:
    """All stretches that have these GPUs."""
    for first in its:
        found = stretch(first, len(its), size)
        if sorted(found) == its:
            yield found


def is_ring(held: list[list[int]], size: int) -> bool:
    """Whether each expert has a stretch on rings of this size and no link has two owners, trying all ways."""
    if any(g // size != its[0] // size for its in held for g in its):
        return False
    several = [list(ways(its, size)) for its in held if len(its) > 1]
    for chosen in product(*several):
        links = [g for found in chosen for g in found[:-1]]
        if len(links) == len(set(links)):
            return True
    return False


def links_of(held: list[list[int]], start: list[int], size: int) -> list[int]:
    return [
        g for its, first in zip(held, start, strict=True) if first >= 0 for g in stretch(first, len(its), size)[:-1]
    ]


@thorough
@given(shape=shapes_of_all_proportions(), seed=st.integers(0, 2**32 - 1))
def test_rings_are_known_as_such(shape: Shape, seed: int) -> None:
    experts, _, gpus = shape
    phy2log = drawn_plans(seed, 2, shape)
    found = prepared(phy2log, experts, gpus)
    for layer, slots in enumerate(phy2log.tolist()):
        held = reference.holders(slots, experts, gpus)
        size, start = int(found.size[layer, 0]), found.start[layer].tolist()
        want = stretches(held, gpus)
        assert (size, start) == ((want.size, want.start) if want else (0, [-1] * experts))
        if size:
            assert [first >= 0 for first in start] == [len(its) > 1 for its in held]
            for its, first in zip(held, start, strict=True):
                assert first < 0 or sorted(stretch(first, len(its), size)) == its
            links = links_of(held, start, size)
            assert len(links) == len(set(links))
        else:  # two experts on both GPUs of a ring of two are none
            sizes = [s for s in range(1, gpus + 1) if gpus % s == 0 and is_ring(held, s)]
            assert not sizes or min(sizes) == 2


@pytest.mark.parametrize("gpus", [3, 4])
def test_all_small_plans_of_three_experts(gpus: int) -> None:
    some = [list(its) for number in range(1, gpus + 1) for its in combinations(range(gpus), number)]
    plans: dict[int, list[tuple[list[int], list[list[int]]]]] = {}  # by the number of experts
    for held in product(some, repeat=3):
        slots = [[e for e, its in enumerate(held) if g in its] for g in range(gpus)]
        singles = iter(range(3, 3 * gpus))
        filled = [[*gpu, *(next(singles) for _ in range(3 - len(gpu)))] for gpu in slots]
        plans.setdefault(3 * gpus + 3 - sum(map(len, slots)), []).append((list(chain(*filled)), list(held)))
    for experts, each in plans.items():
        found = prepared(np.array([slots for slots, _ in each]), experts, gpus)
        for size, (_, its) in zip(found.size[:, 0].tolist(), each, strict=True):
            sizes = [s for s in range(1, gpus + 1) if gpus % s == 0 and is_ring(its, s)]
            assert size == min(sizes, default=0) or (size == 0 and min(sizes) == 2)


@pytest.mark.parametrize(
    ("experts", "sizes"),
    [
        *[(8, (12, 1, 1, 4)), (16, (24, 4, 2, 8)), (18, (24, 1, 1, 8)), (16, (16, 1, 1, 4))],
        *[(256, (288, 1, 1, 32)), (64, (96, 8, 4, 32))],
    ],
    ids=str,
)
def test_plans_that_are_made_as_rings(experts: int, sizes: tuple[int, ...]) -> None:
    weight = np.random.default_rng(1).pareto(1, (20, experts)) * 100
    found = prepare_shares(rebalance_experts(weight, *sizes, policy="ring"), sizes[3])
    # That of a node, or less where no expert is on GPUs of both halves.
    assert ((found.size > 0) & (sizes[3] // sizes[2] % np.maximum(found.size, 1) == 0)).all()


def test_an_expert_on_a_whole_ring_begins_behind_the_link_of_another() -> None:
    phy2log = np.array([[0, 1, 0, 2, 0, 2]])  # expert 2 owns the link from GPU 1 to GPU 2
    found = prepared(phy2log, 3, 3)
    assert found.start.tolist() == [[2, -1, 1]]
    assert around(1, 3) == 2
