"""What the planner must compute, step by step in plain Python over float32 numbers.

Written from the description of each step and for reading, one replica and one item at a time.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from eplb_xp import Plan, Report
from tests.support.libraries import NumPyArray
from tests.support.references.bounds import lower_bound

Float = Any  # np.float32
Row = Sequence[Float] | NumPyArray


def clean(weight: NumPyArray) -> NumPyArray:
    """Loads as float32 in units of the power of two at or below the largest of the layer.

    Bad loads and those under 2^-125 count as zero, and so do those under 2^-60 of that power of two.
    """
    load = weight.astype(np.float32)
    load = np.where((load >= 2.0**-125) & (load < np.inf), load, np.float32(0))
    share = np.ldexp(load, 1 - np.frexp(load.max(axis=1, keepdims=True))[1])
    return np.where(share >= 2.0**-60, share, np.float32(0))


def pack(load: Row, num_packs: int, key: Row | None = None) -> tuple[list[int], list[int]]:
    """Heaviest item first, each into the lightest pack that is not full; with one item a pack, as they come.

    With keys, the item with the largest key first.
    """
    key = load if key is None else key
    capacity = len(load) // num_packs
    if capacity == 1:
        return list(range(num_packs)), [0] * num_packs
    total = [np.float32(0)] * num_packs
    count = [0] * num_packs
    pack_index, rank = [0] * len(load), [0] * len(load)
    for item in sorted(range(len(load)), key=lambda item: -key[item]):
        lightest = min((p for p in range(num_packs) if count[p] < capacity), key=lambda p: total[p])
        pack_index[item], rank[item] = lightest, count[lightest]
        total[lightest] += load[item]
        count[lightest] += 1
    return pack_index, rank


def replicate(load: NumPyArray, num_replicas: int) -> tuple[list[int], list[int], list[int]]:
    """One replica each, then one by one to the expert with the largest load per replica, the first among equals."""
    experts = len(load)
    expert, rank, count = list(range(experts)), [0] * experts, np.ones(experts, np.float32)
    for _ in range(num_replicas - experts):
        busiest = int(np.argmax(load / count))
        expert.append(busiest)
        rank.append(int(count[busiest]))
        count[busiest] += 1
    return expert, rank, [int(n) for n in count]


def place(
    load: NumPyArray, num_replicas: int, num_groups: int, num_nodes: int, num_gpus: int
) -> tuple[list[int], list[int], list[int]]:
    """One layer: groups onto nodes, then in each node replicas for its experts and a GPU for each replica."""
    if num_groups % num_nodes:
        num_groups = num_nodes = 1
    size = len(load) // num_groups
    node_of, place_of = pack([tree_sum(load[g * size : (g + 1) * size]) for g in range(num_groups)], num_nodes)
    phy2log, rank, logcnt = [], [], [0] * len(load)
    for node in range(num_nodes):
        groups = sorted((g for g in range(num_groups) if node_of[g] == node), key=lambda g: place_of[g])
        experts = [g * size + i for g in groups for i in range(size)]
        expert, turn, count = replicate(load[experts], num_replicas // num_nodes)
        share = [load[experts[e]] / np.float32(count[e]) for e in expert]
        gpu, slot = pack(share, num_gpus // num_nodes)
        for replica in sorted(range(len(expert)), key=lambda r: (gpu[r], slot[r])):
            phy2log.append(experts[expert[replica]])
            rank.append(turn[replica])
        for e, n in zip(experts, count, strict=True):
            logcnt[e] = n
    return phy2log, rank, logcnt


def plan(weight: NumPyArray, num_replicas: int, num_groups: int, num_nodes: int, num_gpus: int) -> Plan[NumPyArray]:
    """The plan of every layer with its three maps."""
    layers, experts = weight.shape
    width = num_replicas - experts + 1
    phy2log = np.zeros((layers, num_replicas), np.int64)
    logcnt = np.zeros((layers, experts), np.int64)
    log2phy = np.full((layers, experts, width), -1)
    for layer, load in enumerate(clean(weight)):
        phy2log[layer], rank, logcnt[layer] = place(load, num_replicas, num_groups, num_nodes, num_gpus)
        for slot, (expert, turn) in enumerate(zip(phy2log[layer], rank, strict=True)):
            log2phy[layer, expert, turn] = slot
    return Plan(phy2log, log2phy, logcnt)


def tree_sum(values: Row) -> Float:
    """The first half plus the second, entry by entry, until one number is left."""
    half = (len(values) + 1) // 2
    if half == len(values):
        return values[0]
    padded = [*values, np.float32(0)]
    return tree_sum([padded[i] + padded[half + i] for i in range(half)])


def all_counts(experts: int, replicas: int) -> Iterator[tuple[int, ...]]:
    """All replica counts of so many experts, each at least one."""
    for cuts in combinations(range(1, replicas), experts - 1):
        yield tuple(b - a for a, b in zip((0, *cuts), (*cuts, replicas), strict=True))


def report(phy2log: NumPyArray, weight: NumPyArray, num_gpus: int, num_groups: int, num_nodes: int) -> Report[Any]:
    """What `evaluate` says of a plan, by counting in float64."""
    load = np.where(clean(weight) > 0, weight.astype(np.float64), 0)
    rows = [_report(*row, num_gpus, num_groups, num_nodes) for row in zip(phy2log.tolist(), load, strict=True)]
    gpu_load, balancedness, bound, gap, doubled = zip(*rows, strict=True) if rows else [()] * 5
    return Report(
        np.reshape(gpu_load, (len(rows), num_gpus)),
        np.array(balancedness),
        np.array(bound),
        np.array(gap),
        np.array(doubled, np.int64),
    )


def _report(experts: list[int], load: NumPyArray, num_gpus: int, num_groups: int, num_nodes: int) -> tuple[Any, ...]:
    capacity = len(experts) // num_gpus
    gpus = [experts[g * capacity : (g + 1) * capacity] for g in range(num_gpus)]
    gpu_load = [sum(load[e] / experts.count(e) for e in gpu) for gpu in gpus]
    busiest, bound = max(gpu_load), lower_bound(load, len(experts), num_gpus, num_groups, num_nodes)
    balancedness = sum(gpu_load) / num_gpus / busiest if busiest else 1
    doubled = sum(capacity - len(set(gpu)) for gpu in gpus)
    return gpu_load, balancedness, bound, busiest / bound - 1 if busiest else 0, doubled
