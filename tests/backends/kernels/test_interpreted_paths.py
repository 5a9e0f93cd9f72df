"""What kernels for plans that follow others write down step by step: at the end of a path all of it is true."""

from typing import Any

import numpy as np
import pytest

from eplb_xp.backends.launching.following_layout import Following
from tests.support.follow_kernels import Case, Paths, Shape, drawn, launch_of, walked
from tests.support.kernels import Interpreted
from tests.support.libraries import NumPyArray

PATHS: Paths = (2, 2)
CASES: dict[str, tuple[Shape, dict[str, Any]]] = {
    "doubled": (Shape(5, 10, 5), {"is_doubled": True}),
    "three of each": (Shape(5, 15, 3), {"is_doubled": True}),
    "four of each": (Shape(4, 16, 4), {"is_doubled": True, "empty": 0.1}),
    "on nodes": (Shape(8, 16, 4, 4, 2), {"is_doubled": True}),
    "any": (Shape(9, 15, 5), {"empty": 0.2}),
    "a ring": (Shape(9, 15, 5, policy="ring"), {"is_doubled": False}),
}


def leaf_of(gpu: int, gpus: int) -> int:
    """Where a GPU stands in the tree of a sum: at each addition in the lower or the upper half."""
    place = 0
    for _ in range((gpus - 1).bit_length()):
        gpus = (gpus + 1) // 2
        place = 2 * place + (gpu >= gpus)
        gpu -= gpus * (gpu >= gpus)
    return place


def masks(holds: NumPyArray) -> NumPyArray:
    """A bit for each leaf whose GPU holds an expert: [gpus, experts] -> [experts]."""
    leaves = np.array([leaf_of(gpu, len(holds)) for gpu in range(len(holds))])
    words: NumPyArray = (holds.astype(np.int64) << leaves[:, None]).sum(axis=0)
    return words


def counts(places: NumPyArray, experts: int, gpus: int) -> NumPyArray:
    """How often each GPU holds each expert: [gpus, experts]."""
    number = np.zeros((gpus, experts), np.int64)
    for place, expert in enumerate(places):
        if expert >= 0:
            number[place % gpus, expert] += 1
    return number


def assert_true(its: Following, layer: NumPyArray, path: NumPyArray, budget: int) -> int:
    """A path's block is that of its placing; how many replicas share a GPU in it."""
    slots, experts = its.slots, its.experts

    def part(block: NumPyArray, at: int, number: int) -> NumPyArray:
        return block[at : at + number]

    tag, before = part(path, its.tag_at, slots), part(layer, its.before_at, slots)
    expert, gpu = tag & 0xFFFF, np.arange(slots) % its.gpus
    now, was = counts(expert, experts, its.gpus), counts(before, experts, its.gpus)
    np.testing.assert_array_equal((tag >> 16) & 1, now[gpu, expert] > was[gpu, expert])
    np.testing.assert_array_equal(tag >> 17, now[gpu, expert] > 1)
    np.testing.assert_array_equal(part(path, its.count_at, experts), now.sum(axis=0))
    np.testing.assert_array_equal(part(path, its.mask_at, experts), masks(now > 0))
    np.testing.assert_array_equal(part(layer, its.was_at, experts), masks(was > 0))
    load = part(layer, its.load_at, experts).view(np.float32)
    share = load / now.sum(axis=0, dtype=np.float32)
    np.testing.assert_array_equal(part(path, its.share_at, experts).view(np.float32), share)
    np.testing.assert_array_equal(part(path, its.held_at, slots).view(np.float32), share[expert])
    assert np.maximum(now - was, 0).sum() <= max(budget, budget - layer[its.left_at])
    if its.changes_counts:
        spares = np.repeat(np.arange(experts), now.sum(axis=0) - 1)
        assert sorted(part(path, its.spare_at, its.spares)) == spares.tolist()
        listed = part(path, its.list_at, its.listed)
        assert sorted(listed[listed >= 0]) == np.flatnonzero(now.sum(axis=0)[expert] > 1).tolist()
    return int((now - 1).clip(0).sum())


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_down_step_by_step(interpreted: Interpreted, name: str) -> None:
    shape, options = CASES[name]
    case: Case = drawn(1, shape, moves=shape.replicas // 3, **options)
    its = launch_of(1, shape, PATHS).sizes
    found = interpreted(walked, case, PATHS)
    (layer,) = found.layers
    start = layer[its.begun_at :]
    doubled = assert_true(its, layer, start, int(case.budget[0, 0]))
    after = [assert_true(its, layer, path, int(case.budget[0, 0])) for path in (*found.wide, *found.narrow)]
    if options.get("is_doubled"):
        assert min(after) < doubled, "no path has changed what was doubled"
