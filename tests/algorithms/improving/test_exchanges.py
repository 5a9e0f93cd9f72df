"""Two items for two: the best exchange of all there are."""

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.improving.pairs import best_pairs
from eplb_xp.algorithms.improving.swaps import TwoSwaps, swap_twice
from eplb_xp.algorithms.improving.table import Table, table
from eplb_xp.algorithms.packing.packed import Items, packed
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NumPyArray
from tests.support.loads import thorough
from tests.support.references import swaps

Packs = list[list[int]]  # the expert in each slot
Swap = tuple[tuple[int, int], tuple[int, int]]  # of two slots, each a pack and a rank


@st.composite
def packings(draw: st.DrawFn, capacities: list[int]) -> tuple[Packs, list[int]]:
    """Packs of different experts each, and the load of a replica of each expert, often with ties; sums are exact."""
    num_packs, capacity = draw(st.integers(2, 10)), draw(st.sampled_from(capacities))
    experts = draw(st.integers(capacity + 1, num_packs * capacity + 1))
    load = draw(st.lists(st.integers(0, draw(st.sampled_from([3, 30, 10**5]))), min_size=experts, max_size=experts))
    return [draw(st.permutations(range(experts)))[:capacity] for _ in range(num_packs)], load


def table_of(packs: Packs, load: list[int]) -> Table:
    """One row, each slot with an item of its own."""
    expert = np.array([[e for pack in packs for e in pack]])
    items = Items(np.array(load, np.float32)[expert], expert)
    item = np.arange(expert.size)[None, :]
    return table(LIBRARY, packed(LIBRARY, item, items.load, len(packs)), items)


def after(packs: Packs, swaps: tuple[Swap, ...]) -> Packs:
    packs = [list(pack) for pack in packs]
    for (p, r), (q, s) in swaps:
        packs[p][r], packs[q][s] = packs[q][s], packs[p][r]
    return packs


def loads_of(packs: Packs, load: list[int]) -> list[int]:
    return [sum(load[e] for e in pack) for pack in packs]


def busiest_of(packs: Packs, load: list[int], swaps: tuple[Swap, ...]) -> int:
    """The load of the busiest pack that the swaps change."""
    then = after(packs, swaps)
    return max(sum(load[e] for e in then[p]) for swap in swaps for p, _ in swap)


def may_swap(packs: Packs, one: tuple[int, int], other: tuple[int, int]) -> bool:
    (p, r), (q, s) = one, other
    return packs[p][r] not in packs[q] and packs[q][s] not in packs[p]


def lightest(packs: Packs, load: list[int], number: int) -> list[int]:
    loads = loads_of(packs, load)
    return sorted(range(len(packs)), key=lambda p: loads[p])[:number]


def all_pairs(packs: Packs, load: list[int]) -> Iterator[tuple[Swap, ...]]:
    """All exchanges of two items of the busiest pack for two of a light one."""
    loads = loads_of(packs, load)
    p = loads.index(max(loads))
    pairs = list(combinations(range(len(packs[p])), 2))
    for q in lightest(packs, load, max(8192 // len(pairs) ** 2, 1)):
        for (r, t), (s, u) in product(pairs, pairs):
            swaps = ((p, r), (q, s)), ((p, t), (q, u))
            if all(may_swap(packs, *swap) for swap in swaps):
                yield swaps


def first_of_equal(packs: Packs, load: list[int]) -> swaps.Best:
    """What the reference finds, which is particular about ties."""
    item = np.arange(len(packs) * len(packs[0])).reshape(len(packs), -1).tolist()
    expert = [e for pack in packs for e in pack]
    return swaps.best_pairs(swaps.Packs(item, np.array(load, np.float32)[expert], expert))


def assert_best(two: TwoSwaps, packs: Packs, load: list[int], all_swaps: list[tuple[Swap, ...]]) -> None:
    """What was found may be made and leaves the least load, and `swap_twice` makes it."""
    most = max(loads_of(packs, load))
    if not all_swaps:
        assert two.less[0, 0] == -np.inf
        return
    least = min(busiest_of(packs, load, swaps) for swaps in all_swaps)
    assert two.less[0, 0] == most - least

    def slot(place: NumPyArray) -> tuple[int, int]:
        return int(place[0, 0]) % len(packs), int(place[0, 0]) // len(packs)

    first, second = ((slot(one), slot(other)) for one, other in (two.first, two.second))
    assert (first, second) in all_swaps
    assert (first, second) == first_of_equal(packs, load).swaps
    assert busiest_of(packs, load, (first, second)) == least
    done = swap_twice(LIBRARY, table_of(packs, load), two.first, two.second, np.array([[True]]))
    then = after(packs, (first, second))
    assert done.expert.tolist() == table_of(then, load).expert.tolist()
    assert done.load.tolist() == table_of(then, load).load.tolist()
    assert done.pack_load.tolist() == [loads_of(then, load)]


@thorough
@given(packing=packings([4, 4, 5, 9]))
def test_pairs_are_the_best_there_are(packing: tuple[Packs, list[int]]) -> None:
    assert_best(best_pairs(LIBRARY, table_of(*packing)), *packing, list(all_pairs(*packing)))


@pytest.mark.parametrize(("capacity", "cases"), [(9, 20), (14, 5)])
def test_the_best_are_looked_for_among_the_lightest_packs(capacity: int, cases: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(cases):
        packs = np.arange(16 * capacity).reshape(16, capacity).tolist()
        first = rng.integers(0, 300_000, (16, capacity - 1))
        last = 4_000_000 + rng.integers(0, 50, (16, 1)) - first.sum(axis=1, keepdims=True)  # all packs about even
        load = np.concatenate([first, last], axis=1).reshape(-1).tolist()
        assert_best(best_pairs(LIBRARY, table_of(packs, load)), packs, load, list(all_pairs(packs, load)))
