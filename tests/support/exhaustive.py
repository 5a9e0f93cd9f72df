"""The best of all plans, found by trying them: exact, for loads that are integers."""

from collections.abc import Iterable
from fractions import Fraction
from math import lcm

from tests.support.references.bounds import splits
from tests.support.references.plan import Row, all_counts


def best_busiest(load: Row, replicas: int, gpus: int) -> Fraction:
    """The busiest GPU's load under the best of all plans of one node, over all counts and all packings."""
    unit = lcm(*range(1, replicas + 1))
    whole = [int(w) * unit for w in load]
    best = sum(whole) + 1
    for count in all_counts(len(whole), replicas):
        share = (w // n for w, n in zip(whole, count, strict=True) for _ in range(n))
        best = _best_packing(sorted(share, reverse=True), [(0, 0)] * gpus, replicas // gpus, best)
    return Fraction(best, unit)


def _best_packing(items: list[int], packs: list[tuple[int, int]], capacity: int, best: int) -> int:
    """The smallest maximum when all items are packed, if it is below the best so far, or that.

    A pack is its load and its number of items; of packs that are alike only one is tried.
    """
    if not items:
        return max(load for load, _ in packs)
    for pack in set(packs):
        load, number = pack
        if number < capacity and load + items[0] < best:
            others = packs.copy()
            others.remove(pack)
            best = _best_packing(items[1:], [*others, (load + items[0], number + 1)], capacity, best)
    return best


def best_busiest_by_node(load: Row, replicas: int, groups: int, nodes: int, gpus: int) -> Fraction:
    """The same, over all ways to split whole groups over nodes."""
    size = len(load) // groups
    group_loads = tuple(tuple(load[g * size : (g + 1) * size]) for g in range(groups))
    return min(
        max(best_busiest(_joined(node), replicas // nodes, gpus // nodes) for node in split)
        for split in splits(group_loads, groups // nodes)
    )


def _joined(groups: Iterable[tuple[float, ...]]) -> list[float]:
    return [load for group in groups for load in group]
