"""How many rounds the loops take: what planning costs on a GPU, where every round is a launch or a host read."""

from dataclasses import replace
from math import log2

import numpy as np
import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from eplb_xp import POLICIES
from eplb_xp.algorithms import pipeline
from eplb_xp.algorithms.counts import replication, threshold
from eplb_xp.algorithms.counts.spares import Range
from eplb_xp.algorithms.improving.parting import part
from eplb_xp.algorithms.improving.table import slots, table
from eplb_xp.algorithms.packing.heaviest_first import pack
from eplb_xp.algorithms.packing.packed import Items, packed
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.sizes import Sizes
from tests.support.counting import Counting
from tests.support.libraries import NumPyArray
from tests.support.loads import batch, thorough, weights

LAYERS, EXPERTS = 58, 256


# Rounds of the search for the last spare and rounds of the packing, for 288 replicas on 32 GPUs, 320 on 64
# and 384 on 128: about a tenth above what was measured, so that an algorithm that degenerates shows.
CEILINGS = {
    "uniform": [(11, 10), (11, 6), (12, 3)],
    "lognormal": [(12, 10), (14, 6), (16, 3)],
    "zipf 1.2": [(10, 12), (12, 12), (15, 3)],
    "zipf 2": [(10, 39), (12, 55), (13, 3)],
    "geometric .5": [(9, 21), (10, 31), (13, 11)],
    "geometric .9": [(8, 84), (11, 83), (12, 18)],
    "70 % idle": [(12, 6), (13, 5), (15, 2)],
    "all zero": [(11, 0), (13, 0), (15, 0)],
    "all equal": [(1, 9), (1, 5), (1, 3)],
}


# Rounds of the parting of doubled replicas for the same sizes; one replica a round and row.
PARTING = {"all equal": [31, 63, 127]}
MOST_PARTING = [4, 4, 4]


@pytest.mark.parametrize("size", [0, 1, 2], ids=["288/32", "320/64", "384/128"])
@pytest.mark.parametrize("family", CEILINGS)
@pytest.mark.parametrize("policy", ["greedy", "swap"])
def test_rounds_of_a_plan_of_known_loads(policy: str, family: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "LONGEST_TABLE", 0)  # else there is no search at these sizes
    replicas, gpus = [(288, 32), (320, 64), (384, 128)][size]
    lib = Counting()
    weight = batch(family, 0, LAYERS, EXPERTS)
    lib.call(
        pipeline.place,
        weight,
        sizes=Sizes(replicas, 1, 1, gpus),
        policy=POLICIES[policy],
    )
    search, packing, filling, *others = lib.rounds
    most_search, most_packing = CEILINGS[family][size]
    # Swap caps the counts, so its search starts from a wider bracket.
    assert search <= most_search + (policy == "swap")
    assert packing <= most_packing
    assert filling <= 1
    if policy == "swap":
        parting, swaps = others
        assert parting <= PARTING.get(family, MOST_PARTING)[size]
        assert swaps <= POLICIES[policy].rounds


@thorough
@given(data=st.data())
def test_packing_never_takes_more_rounds_than_a_row_has_items_with_load(data: st.DataObject) -> None:
    items, packs = data.draw(st.sampled_from([(12, 3), (12, 6), (24, 2), (40, 8), (9, 1)]))
    weight = data.draw(weights((3, items)))
    lib = Counting()
    load = scaled(lib, weight).load
    lib.call(pack, load, packs, key=load)
    target(lib.rounds[0])
    assert lib.rounds[0] <= np.count_nonzero(load, axis=1).max()


def test_a_single_pack_takes_eight_items_a_round() -> None:
    lib = Counting()
    load = np.ones((1, 25), np.float32)
    lib.call(pack, load, 1, key=load)
    assert lib.rounds == [3, 0]  # the first item is there from the start, and none is without load


@thorough
@given(data=st.data())
def test_the_search_for_the_last_spare_halves_its_bracket(data: st.DataObject) -> None:
    experts, replicas = data.draw(st.sampled_from([(8, 13), (2, 60), (40, 41), (3, 4000)]))
    weight = data.draw(weights((3, experts)))
    lib = Counting()
    load = np.where(weight.any(axis=1, keepdims=True), scaled(lib, weight).load, np.float32(1))
    lib.call(threshold.hand_out, load, replicas - experts, Range(1, replicas - experts + 1))
    target(lib.rounds[0])
    # From a bracket as wide as the largest load to two floats next to each other, 24 bits below the k-th of it.
    assert lib.rounds[0] <= 25 + log2(replicas - experts)


# Rows of each loop: the search for the last spare if they are many; packing, and filling up with items without
# load; parting; swaps.
@pytest.mark.parametrize(
    ("policy", "sizes", "rows"),
    [
        ("greedy", Sizes(24, 1, 1, 4), [3] * 2),
        ("greedy", Sizes(80, 1, 1, 4), [3] * 3),
        ("greedy", Sizes(24, 8, 4, 8), [3, 3, 12, 12]),  # first the packing of groups
        ("swap", Sizes(24, 1, 1, 4), [3] * 4),
        ("swap", Sizes(24, 8, 1, 4), [3] * 6),  # one node: groups are put in order, and no more
        ("swap", Sizes(24, 4, 4, 8), [12] * 4),  # one group a node: groups can go one way only
        ("swap", Sizes(24, 8, 4, 8), [*[3] * 5, *[24] * 4]),  # groups by greedy, by the policy, its swaps; both splits
        ("swap", Sizes(64, 1, 1, 4), []),  # all experts on every GPU
        ("swap", Sizes(80, 1, 1, 4), [3] * 3),  # and slots left over, where whatever comes is doubled
        ("swap", Sizes(16, 1, 1, 4), [3] * 4),  # no spares
        ("swap", Sizes(16, 1, 1, 16), []),  # one slot a GPU
        ("swap", Sizes(20, 1, 1, 1), [3] * 2),  # one GPU: nothing to swap
        ("multistart", Sizes(24, 1, 1, 4), [3 * 64] * 4),
    ],
)
def test_loops_of_a_plan(policy: str, sizes: Sizes, rows: list[int]) -> None:
    lib = Counting()
    lib.call(pipeline.place, batch("lognormal", 0, 3, 16), sizes=sizes, policy=POLICIES[policy])
    assert lib.rows == rows


@thorough
@given(data=st.data())
def test_each_round_of_parting_leaves_fewer_doubled(data: st.DataObject) -> None:
    packs, capacity = data.draw(st.sampled_from([(4, 3), (3, 8), (8, 2), (2, 5)]))
    items = packs * capacity
    load = scaled(Counting(), data.draw(weights((3, items)))).load
    # As many replicas of each as there are packs: any packing of them can be parted.
    expert = np.array([data.draw(st.permutations(range(items))) for _ in range(3)]) // packs
    item = np.broadcast_to(np.arange(items), (3, items))
    lib = Counting()
    now = table(lib, packed(lib, item, load, packs), Items(load, expert))
    parted = slots(lib, lib.call(part, now))
    assert lib.rounds[0] <= doubled(expert, item, packs).max()
    assert doubled(expert, parted, packs).max() == 0
    np.testing.assert_array_equal(np.sort(parted), item)


def doubled(expert: NumPyArray, item: NumPyArray, packs: int) -> NumPyArray:
    """Replicas beyond the first of an expert in one pack: [rows]."""
    held = np.sort(np.take_along_axis(expert, item, axis=1).reshape(len(item), packs, -1))
    again: NumPyArray = (held[:, :, 1:] == held[:, :, :-1]).sum(axis=(1, 2))
    return again


def test_swaps_end_when_none_helps_or_when_the_rounds_are_over() -> None:
    weight = batch("lognormal", 0, LAYERS, EXPERTS)
    for rounds, share, least, most in ((7, 2.0**-20, 7, 7), (2**20, 2.0**-20, 20, 100), (2**20, 0.0, 20, 100)):
        lib = Counting()
        policy = replace(POLICIES["swap"], rounds=rounds, threshold=share)
        lib.call(pipeline.place, weight, sizes=Sizes(288, 1, 1, 32), policy=policy)
        assert least <= lib.rounds[-1] <= most
