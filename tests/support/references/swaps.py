"""Packings, and swaps of items between packs, in plain Python over float32 numbers.

A packing is a list of packs, each the list of the items in its slots.
"""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from eplb_xp import Policy
from tests.support.references import plan as reference
from tests.support.references.plan import Float, Row

Packing = list[list[int]]
Slot = tuple[int, int]  # pack and rank


@dataclass
class Best:
    """The best that a search has found: the swaps, and the load of the busiest of their packs after them."""

    busiest: Float = np.inf
    swaps: tuple[tuple[Slot, Slot], ...] = ()

    def take(self, busiest: Float, *swaps: tuple[Slot, Slot]) -> None:
        """Unless it is no better; so the first of equal ones stays."""
        if busiest < self.busiest:
            self.busiest, self.swaps = busiest, swaps


class Packs:
    """A packing that changes, with the loads of its packs."""

    def __init__(self, slots: Packing, load: Row, expert: list[int]) -> None:
        self.slots = [list(pack) for pack in slots]
        self.item_load, self.expert = load, expert
        self.load = [total(pack, load) for pack in slots]

    def of(self, slot: Slot) -> Float:
        """The load of the item in a slot."""
        return self.item_load[self.slots[slot[0]][slot[1]]]

    def held(self, pack: int) -> list[int]:
        """The experts of a pack, slot by slot."""
        return [self.expert[item] for item in self.slots[pack]]

    def swap(self, one: Slot, other: Slot) -> None:
        """Swap two items, and correct the loads of their packs."""
        less = self.of(one) - self.of(other)
        self.put(one, other)
        self.load[one[0]], self.load[other[0]] = self.load[one[0]] - less, self.load[other[0]] + less

    def put(self, one: Slot, other: Slot) -> None:
        """Swap two items."""
        (p, r), (q, s) = one, other
        self.slots[p][r], self.slots[q][s] = self.slots[q][s], self.slots[p][r]

    def lightest(self, number: int) -> list[int]:
        return sorted(range(len(self.load)), key=lambda pack: self.load[pack])[:number]


def total(pack: list[int], load: Row) -> Float:
    """The load of a pack, added up slot by slot."""
    return sum((load[item] for item in pack[1:]), load[pack[0]]) if pack else np.float32(0)


def busiest(packs: Packing, load: Row) -> Float:
    return max(total(pack, load) for pack in packs)


def heaviest_first(load: Row, num_packs: int, key: Row) -> Packing:
    """EPLB's packing."""
    pack_index, rank = reference.pack(load, num_packs, key)
    packs = [[0] * (len(load) // num_packs) for _ in range(num_packs)]
    for item in range(len(load)):
        packs[pack_index[item]][rank[item]] = item
    return packs


def slots_of(slots: Packing) -> list[Slot]:
    """Pack and rank of each slot, rank by rank."""
    return [(p, r) for r in range(len(slots[0])) for p in range(len(slots))]


def parted(slots: Packing, load: Row, expert: list[int]) -> Packing:
    """Swap the first replica that has another one before it on its GPU, until there is none."""
    packs = Packs(slots, load, expert)
    while True:
        held = [packs.held(p) for p in range(len(slots))]
        doubled = [(p, r) for p, r in slots_of(slots) if held[p][r] in held[p][:r]]
        if not doubled:
            return packs.slots
        p, r = doubled[0]
        best = Best()
        for q, s in slots_of(slots):
            goes, comes = held[p][r] not in held[q], held[q][s] not in held[p] or (q, s) in doubled
            if goes and comes:
                less = packs.of((p, r)) - packs.of((q, s))
                best.take(max(packs.load[p] - less, packs.load[q] + less), ((p, r), (q, s)))
        packs.swap(*best.swaps[0])


def swapped(slots: Packing, load: Row, expert: list[int], policy: Policy, left: int) -> Packing:
    """After so many swaps between the busiest pack and others, as long as the best one helps, if that is no worse."""
    packs = Packs(slots, load, expert)
    for _ in range(left):
        best = best_swap(packs, policy)
        if not helps(packs, best, policy):
            break
        packs.swap(*best.swaps[0])
    return lower(slots, packs.slots, load)


def exchanged(slots: Packing, load: Row, expert: list[int], policy: Policy, left: int) -> Packing:
    """The same with exchanges of two items where no swap helps; the loads are added up anew each time."""
    packs = Packs(slots, load, expert)
    for _ in range(left):
        best = best_swap(packs, policy)
        if not helps(packs, best, policy):
            best = best_pairs(packs)
        if not helps(packs, best, policy):
            break
        for one, other in best.swaps:
            packs.put(one, other)
        packs.load = [total(pack, load) for pack in packs.slots]
    return packs.slots


def lower(before: Packing, after: Packing, load: Row) -> Packing:
    """Of two packings that with the lighter busiest pack."""
    return after if busiest(after, load) <= busiest(before, load) else before


def helps(packs: Packs, best: Best, policy: Policy) -> bool:
    """Whether it takes more than a share of the mean off the busiest pack."""
    least = reference.tree_sum(packs.item_load) * np.float32(policy.threshold)
    return bool((max(packs.load) - best.busiest) * np.float32(len(packs.load)) > least)


def best_swap(packs: Packs, policy: Policy) -> Best:
    """The swap that leaves the busier of the two packs the least load."""
    p = int(np.argmax(packs.load))
    others = packs.lightest(1) if policy.neighbourhood == "lightest" else range(len(packs.load))
    held = [packs.held(q) for q in range(len(packs.load))]
    best = Best()
    for q, s in slots_of(packs.slots):
        for r in range(len(held[p])):
            if q in others and held[p][r] not in held[q] and held[q][s] not in held[p]:
                less = packs.of((p, r)) - packs.of((q, s))
                best.take(max(packs.load[p] - less, packs.load[q] + less), ((p, r), (q, s)))
    return best


def best_pairs(packs: Packs) -> Best:
    """Two items of the busiest pack for two of a light one; in each pack the exchange that leaves both the evenest."""
    p = int(np.argmax(packs.load))
    held = [packs.held(q) for q in range(len(packs.load))]
    pairs = list(combinations(range(len(held[p])), 2))
    best = Best()
    for q in packs.lightest(max(8192 // len(pairs) ** 2, 1)):
        halved, more = evenest(packs.load[p], packs.load[q])
        evener = Best()
        going = [pair for pair in pairs if not any(held[p][r] in held[q] for r in pair)]
        coming = [pair for pair in pairs if not any(held[q][s] in held[p] for s in pair)]
        for (s, u), (r, t) in product(coming, going):
            wanted = packs.of((q, s)) + packs.of((q, u)) + more
            off = abs(packs.of((p, r)) + packs.of((p, t)) - wanted)
            evener.take(off, ((p, r), (q, s)), ((p, t), (q, u)))
        best.take(halved + evener.busiest, *evener.swaps)
    return best


def evenest(one: Float, other: Float) -> tuple[Float, Float]:
    """What two packs would have if they were even, and how far the first is above that."""
    return (one + other) * np.float32(0.5), (one - other) * np.float32(0.5)
