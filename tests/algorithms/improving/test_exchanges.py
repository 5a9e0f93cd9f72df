"""Two swaps at once: the best of all there are, and never a busier pack."""

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Policy, balanced_packing
from eplb_xp.algorithms.assignment import exchanged
from eplb_xp.algorithms.improving.chains import best_chain
from eplb_xp.algorithms.improving.pairs import best_pairs
from eplb_xp.algorithms.improving.swaps import TwoSwaps, swap_twice
from eplb_xp.algorithms.improving.table import Table, table
from eplb_xp.algorithms.packing.packed import Items, packed
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.loads import thorough, weights
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


def all_chains(packs: Packs, load: list[int]) -> Iterator[tuple[Swap, ...]]:
    """All smallest swaps of the busiest pack with another, and then those of that one with a light one."""
    loads = loads_of(packs, load)
    p, ranks = loads.index(max(loads)), range(len(packs[0]))
    for q in range(len(packs)):
        firsts = [
            ((p, r), (q, s))
            for r, s in product(ranks, ranks)
            if may_swap(packs, (p, r), (q, s)) and load[packs[p][r]] > load[packs[q][s]]
        ]
        if not firsts:
            continue
        first = min(firsts, key=lambda swap: load[packs[p][swap[0][1]]] - load[packs[q][swap[1][1]]])
        then = after(packs, (first,))
        for light, gift, wish in product(lightest(packs, load, 8), ranks, ranks):
            left_for_good = packs[light][wish] == packs[q][first[1][1]]
            if light not in (p, q) and gift != first[1][1] and not left_for_good:
                second = (q, gift), (light, wish)
                if may_swap(then, *second):
                    yield first, second


def first_of_equal(packs: Packs, load: list[int]) -> swaps.Best:
    """What the reference finds, which is particular about ties."""
    item = np.arange(len(packs) * len(packs[0])).reshape(len(packs), -1).tolist()
    expert = [e for pack in packs for e in pack]
    search = swaps.best_chain if len(packs[0]) < 4 else swaps.best_pairs
    return search(swaps.Packs(item, np.array(load, np.float32)[expert], expert))


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


@thorough
@given(packing=packings([2, 3]))
def test_chains_are_the_best_there_are(packing: tuple[Packs, list[int]]) -> None:
    assert_best(best_chain(LIBRARY, table_of(*packing)), *packing, list(all_chains(*packing)))


@pytest.mark.parametrize(("capacity", "cases"), [(2, 40), (3, 40), (9, 20), (14, 5)])
def test_the_best_are_looked_for_among_the_lightest_packs(capacity: int, cases: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(cases):
        packs = np.arange(16 * capacity).reshape(16, capacity).tolist()
        first = rng.integers(0, 300_000, (16, capacity - 1))
        last = 4_000_000 + rng.integers(0, 50, (16, 1)) - first.sum(axis=1, keepdims=True)  # all packs about even
        load = np.concatenate([first, last], axis=1).reshape(-1).tolist()
        best, all_swaps = (best_chain, all_chains) if capacity < 4 else (best_pairs, all_pairs)
        assert_best(best(LIBRARY, table_of(packs, load)), packs, load, list(all_swaps(packs, load)))


@thorough
@given(data=st.data(), finish=st.integers(0, 30), threshold=st.sampled_from([0.0, 2.0**-20]))
def test_exchanges_keep_all_items_and_never_raise_the_busiest_pack(
    data: st.DataObject, finish: int, threshold: float
) -> None:
    num_packs, capacity = data.draw(st.sampled_from([(2, 4), (9, 2), (4, 3), (3, 6), (2, 16), (2, 17)]))
    load = data.draw(weights((3, num_packs * capacity)))
    policy = Policy(rounds=0, finish=finish, threshold=threshold)
    item = np.array([data.draw(st.permutations(range(load.shape[1]))) for _ in range(3)])
    expert = np.broadcast_to(np.arange(load.shape[1]), load.shape)
    load = np.ldexp(load, -30)  # sums stay within float32
    before = packed(LIBRARY, item, load, num_packs)
    done = exchanged(LIBRARY, before, Items(load, expert), policy)
    assert (done.pack_load.max(axis=1) <= before.pack_load.max(axis=1)).all()
    np.testing.assert_array_equal(np.sort(done.item), expert)
    np.testing.assert_array_equal(done.pack_load, packed(LIBRARY, done.item, load, num_packs).pack_load)


@pytest.mark.parametrize(("capacity", "at_least"), [(3, 100), (4, 160), (16, 190)])
def test_exchanges_help_where_swaps_no_longer_do(capacity: int, at_least: int) -> None:
    swapped, finished = busiest_before_and_after(capacity)
    assert np.count_nonzero(finished < swapped * (1 - 1e-6)) >= at_least  # of 200


def test_packs_of_more_items_see_no_exchanges() -> None:
    swapped, finished = busiest_before_and_after(17)
    np.testing.assert_array_equal(finished, swapped)


def busiest_before_and_after(capacity: int) -> tuple[NumPyArray, NumPyArray]:
    """The busiest of twelve packs where no swap helps, and after exchanges."""
    load = np.random.default_rng(0).uniform(1, 2, (200, capacity * 12)).astype(np.float32)
    found = []
    for finish in (0, 1000):
        policy = Policy(may_double=True, rounds=1000, finish=finish)
        pack_index, _ = NUMPY.run(balanced_packing, load, num_packs=12, policy=policy)
        found.append(np.array([np.bincount(*row).max() for row in zip(pack_index, load, strict=True)]))
    return found[0], found[1]
