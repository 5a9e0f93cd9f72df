"""What the policies beside greedy must compute, in plain Python over float32 numbers.

A packing is a list of packs, each the list of the items in its slots.
"""

from dataclasses import replace
from typing import Any

import numpy as np

import reference
from eplb_xp import POLICIES, Plan, Policy
from eplb_xp.sizes import Sizes
from libraries import NumPyArray
from reference import Float, Row

Packing = list[list[int]]


def noise(policy: Policy, start: int, item: int) -> Float:
    """The factor that a start sorts an item by."""
    u = _hash(_hash(_hash(policy.seed) + start) + item) >> 20
    share = start * round(policy.noise * 4096) // max(policy.starts - 1, 1)
    return np.float32(1 + u * share / 2**23)


def _hash(x: int) -> int:
    x %= 2**31
    for shift, factor in ((16, 0x45D9F3B), (15, 0x2C1B3C6D), (16, 1)):
        x = (x ^ x >> shift) * factor % 2**31
    return x


def assign(load: Row, num_packs: int, policy: Policy, expert: list[int] | None = None) -> Packing:
    """The best of all starts: packed, replicas of an expert parted if experts are given, and refined."""
    items = range(len(load))
    capacity = len(load) // num_packs
    found: list[Packing] = []
    choice = num_packs > 1 and capacity > 1  # else every packing is as good as any other
    for start in range(policy.starts if choice else 1):
        key = [load[item] * noise(policy, start, item) for item in items] if choice else load
        pack_index, rank = reference.pack(load, num_packs, key)
        packs = [[0] * capacity for _ in range(num_packs)]
        for item in items:
            packs[pack_index[item]][rank[item]] = item
        if expert is not None:
            part(packs, load, expert)
        before = [list(pack) for pack in packs]
        if choice:
            refine(packs, load, expert, policy)
        found.append(packs if busiest(packs, load) <= busiest(before, load) else before)
    return min(found, key=lambda packs: busiest(packs, load))


def total(pack: list[int], load: Row) -> Float:
    """The load of a pack, added up slot by slot."""
    return sum((load[item] for item in pack[1:]), load[pack[0]]) if pack else np.float32(0)


def busiest(packs: Packing, load: Row) -> Float:
    return max(total(pack, load) for pack in packs)


def slots_of(packs: Packing) -> list[tuple[int, int]]:
    """Pack and rank of each slot, rank by rank."""
    return [(p, r) for r in range(len(packs[0])) for p in range(len(packs))]


def part(packs: Packing, load: Row, expert: list[int]) -> None:
    """Swap the first replica that has another one before it on its GPU, until there is none."""
    loads = [total(pack, load) for pack in packs]
    while True:
        held = [[expert[item] for item in pack] for pack in packs]
        doubled = [(p, r) for p, r in slots_of(packs) if held[p][r] in held[p][:r]]
        if not doubled:
            return
        p, r = doubled[0]
        best, other = np.inf, (0, 0)
        for q, s in slots_of(packs):
            goes, comes = held[p][r] not in held[q], held[q][s] not in held[p] or (q, s) in doubled
            less = load[packs[p][r]] - load[packs[q][s]]
            busier = max(loads[p] - less, loads[q] + less)
            if goes and comes and busier < best:
                best, other = busier, (q, s)
        exchange(packs, loads, load, (p, r), other)


def refine(packs: Packing, load: Row, expert: list[int] | None, policy: Policy) -> None:
    """Swap between the busiest pack and others for as long as the best swap helps."""
    loads = [total(pack, load) for pack in packs]
    least = reference.tree_sum(load) * np.float32(policy.threshold)
    for _ in range(policy.rounds):
        p = int(np.argmax(loads))
        others = [int(np.argmin(loads))] if policy.neighbourhood == "lightest" else range(len(packs))
        best, one, other = np.float32(0), (0, 0), (0, 0)
        for q, s in slots_of(packs):
            if q not in others:
                continue
            theirs = packs[q][s]
            for r, item in enumerate(packs[p]):
                if expert is not None and (
                    expert[item] in [expert[i] for i in packs[q]] or expert[theirs] in [expert[i] for i in packs[p]]
                ):
                    continue
                less = load[item] - load[theirs]
                gain = loads[p] - max(loads[p] - less, loads[q] + less)
                if gain > best:
                    best, one, other = gain, (p, r), (q, s)
        if not best * np.float32(len(packs)) > least:
            return
        exchange(packs, loads, load, one, other)


def exchange(packs: Packing, loads: list[Float], load: Row, one: tuple[int, int], other: tuple[int, int]) -> None:
    """Swap the items of two slots."""
    (p, r), (q, s) = one, other
    less = load[packs[p][r]] - load[packs[q][s]]
    packs[p][r], packs[q][s] = packs[q][s], packs[p][r]
    loads[p], loads[q] = loads[p] - less, loads[q] + less


def replicate(load: Row, replicas: int, fewest: int, most: int) -> tuple[list[int], list[int]]:
    """The spares one by one to the expert with the largest load per replica that may have more; and all counts."""
    load = np.where(np.asarray(load) > 0, load, np.float32(2.0**-80))
    count = np.full(len(load), fewest, np.float32)
    spares = []
    for _ in range(replicas - len(load) * fewest):
        expert = int(np.argmax(np.where(count < most, load / count, 0)))
        spares.append(expert)
        count[expert] += 1
    return spares, [int(n) for n in count]


def place(load: NumPyArray, sizes: Sizes, policy: Policy) -> tuple[list[int], list[int]]:
    """One layer: groups onto nodes as EPLB does or with swaps as well, whichever gives the lower busiest GPU."""
    size = len(load) // sizes.num_groups
    group_load = [reference.tree_sum(load[g : g + size]) for g in range(0, len(load), size)]
    plans = []
    for way in (POLICIES["greedy"], replace(policy, starts=1)):
        split = assign(group_load, sizes.num_nodes, way)
        members = [[g * size + i for g in node for i in range(size)] for node in split]
        plans.append(place_by_node(load, members, sizes, policy))

    def busiest_gpu(plan: tuple[list[int], list[int]]) -> Float:
        phy2log, logcnt = plan
        each = sizes.num_replicas // sizes.num_gpus
        gpus = [phy2log[slot : slot + each] for slot in range(0, len(phy2log), each)]
        return busiest(gpus, [w / np.float32(n) for w, n in zip(load, logcnt, strict=True)])

    return min(plans, key=busiest_gpu)


def place_by_node(
    load: NumPyArray, members: list[list[int]], sizes: Sizes, policy: Policy
) -> tuple[list[int], list[int]]:
    """Each node: replicas for its experts, and a GPU for each replica."""
    slots, gpus = sizes.num_replicas // sizes.num_nodes, sizes.num_gpus // sizes.num_nodes
    phy2log, logcnt = [], np.zeros(len(load), np.int64)
    for experts in members:
        everywhere = experts if slots >= len(experts) * gpus else []
        most = sizes.max_replicas or slots
        if everywhere:
            spares, count = replicate(load[experts], slots, gpus, most)
        else:
            spares, count = replicate(load[experts], slots, 1, min(most, gpus))
        replica = spares if everywhere else [*range(len(experts)), *spares]
        share = [load[experts[e]] / np.float32(count[e]) for e in replica]
        packs = assign(share, gpus, policy, None if everywhere else replica)
        for pack in packs:
            phy2log += [experts[replica[item]] for item in pack] + everywhere
        logcnt[experts] = count
    return phy2log, logcnt.tolist()


def plan(weight: NumPyArray, *sizes: int, policy: Policy, max_replicas: int | None = None) -> Plan[NumPyArray]:
    """The plan of every layer with its three maps, the slots of an expert in ascending order."""
    replicas, groups, nodes, gpus = sizes
    if groups % nodes:
        groups = nodes = 1
    checked = Sizes(replicas, groups, nodes, gpus, max_replicas)
    layers, experts = weight.shape
    placed = [place(load, checked, policy) for load in reference.clean(weight)]
    phy2log: Any = np.reshape(np.array([slots for slots, _ in placed], np.int64), (layers, replicas))
    logcnt = np.reshape(np.array([count for _, count in placed], np.int64), (layers, experts))
    log2phy = np.full((layers, experts, max_replicas or replicas - experts + 1), -1)
    for layer in range(layers):
        for expert in range(experts):
            held = np.flatnonzero(phy2log[layer] == expert)
            log2phy[layer, expert, : len(held)] = held
    return Plan(phy2log, log2phy, logcnt)
