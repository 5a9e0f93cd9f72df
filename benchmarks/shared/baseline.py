"""What every time is measured against: EPLB in NumPy, as one would write it.

A Python loop over items, each step of it done for all layers at once: replicas are handed out one by
one, and items are packed one by one. It stands for the fastest planner published for the CPU, which
takes as long. The plans are those of policy ``"greedy"``, bit for bit, for loads of ordinary size; it
checks and scales nothing.
"""

from typing import Any

import numpy as np

from eplb_xp import Plan

Loads = np.ndarray[Any, Any]  # float32
Integers = np.ndarray[Any, Any]


def rebalance_experts(
    weight: Loads, num_replicas: int, num_groups: int, num_nodes: int, num_gpus: int
) -> Plan[Integers]:
    """The plan for loads [layers, experts]: hierarchical where the groups divide over the nodes, else global."""
    if num_groups % num_nodes:
        num_groups, num_nodes = 1, 1
    layers, experts = weight.shape
    node2log = experts_by_node(weight, num_groups, num_nodes)

    # Each node of each layer is a row; experts count from 0 in their node.
    node_load = np.take_along_axis(weight, node2log, axis=1).reshape(layers * num_nodes, -1)
    expert, rank, count = replicate(node_load, num_replicas // num_nodes)
    share = np.take_along_axis(node_load / count.astype(np.float32), expert, axis=1)
    slot2replica = inverse(pack(share, num_gpus // num_nodes))
    slot2expert = np.take_along_axis(expert, slot2replica, axis=1).reshape(layers, num_nodes, -1)

    first = np.arange(num_nodes)[:, None] * (experts // num_nodes)
    phy2log = np.take_along_axis(node2log, (slot2expert + first).reshape(layers, -1), axis=1)
    phyrank = np.take_along_axis(rank, slot2replica, axis=1).reshape(layers, -1)
    logcnt = np.take_along_axis(count.reshape(layers, -1), inverse(node2log), axis=1)
    width = num_replicas - experts + 1
    log2phy = np.full((layers, experts * width), -1)
    np.put_along_axis(log2phy, phy2log * width + phyrank, np.arange(num_replicas)[None, :], axis=1)
    return Plan(phy2log, log2phy.reshape(layers, experts, width), logcnt)


def experts_by_node(weight: Loads, num_groups: int, num_nodes: int) -> Integers:
    """The experts of each node, node after node, whole groups packed onto nodes: [layers, experts]."""
    layers, experts = weight.shape
    group_load = tree_sum(weight.reshape(layers, num_groups, -1))
    group = inverse(pack(group_load, num_nodes))
    return (group[:, :, None] * (experts // num_groups) + np.arange(experts // num_groups)).reshape(layers, experts)


def replicate(load: Loads, num_replicas: int) -> tuple[Integers, Integers, Integers]:
    """Expert and rank of each replica, and the replicas of each expert.

    One replica each, then one by one to the expert with the largest load per replica.
    """
    rows, experts = load.shape
    expert = np.empty((rows, num_replicas), np.int64)
    expert[:, :experts] = np.arange(experts)
    rank = np.zeros((rows, num_replicas), np.int64)
    count = np.ones((rows, experts), np.int64)
    share = load.copy()
    row = np.arange(rows)
    for replica in range(experts, num_replicas):
        busiest = share.argmax(axis=1)
        number = count[row, busiest]
        expert[:, replica] = busiest
        rank[:, replica] = number
        count[row, busiest] = number + 1
        share[row, busiest] = load[row, busiest] / (number + 1).astype(np.float32)
    return expert, rank, count


def pack(load: Loads, num_packs: int) -> Integers:
    """The slot of each item, pack after pack: heaviest first, each into the lightest pack that is not full."""
    rows, items = load.shape
    capacity = items // num_packs
    if capacity == 1:
        return np.broadcast_to(np.arange(items), load.shape)
    order = np.argsort(-load, axis=1, kind="stable")
    heaviest_first = np.take_along_axis(load, order, axis=1)
    pack_load = np.zeros((rows, num_packs), np.float32)
    held = np.zeros((rows, num_packs), np.int64)
    row = np.arange(rows)
    slots = np.empty((rows, items), np.int64)
    for item in range(items):
        lightest = pack_load.argmin(axis=1)
        rank = held[row, lightest]
        slots[row, order[:, item]] = lightest * capacity + rank
        held[row, lightest] = rank + 1
        pack_load[row, lightest] += np.where(rank + 1 == capacity, np.inf, heaviest_first[:, item])
    return slots


def tree_sum(values: Loads) -> Loads:
    """The sum over the last axis, in the one order in which all libraries add: the first half plus the second."""
    while (number := values.shape[-1]) > 1:
        half = (number + 1) // 2
        total = values[..., :half].copy()
        total[..., : number - half] += values[..., half:]
        values = total
    return values[..., 0]


def inverse(permutation: Integers) -> Integers:
    """The position of each number in its row."""
    position = np.empty_like(permutation)
    np.put_along_axis(position, permutation, np.arange(permutation.shape[1])[None, :], axis=1)
    return position
