"""The whole plan, step by step.

loads -> groups to nodes -> replica counts -> replicas to GPUs -> maps

A global plan is a hierarchical one with one group on one node.
"""

from typing import NamedTuple

from eplb_xp.algorithms.maps import expert_to_slots
from eplb_xp.algorithms.packing import pack
from eplb_xp.algorithms.replication import Replicas, replicate
from eplb_xp.algorithms.rows import inverse, tree_sum
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.standard import Standard
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan


class Placement(NamedTuple):
    """The replica in each slot."""

    phy2log: Array  # [layers, replicas] its expert
    rank: Array  # [layers, replicas] which replica of the expert it is
    logcnt: Array  # [layers, experts] replicas of each expert


def plan(lib: Standard, weight: Array, *, sizes: Sizes) -> Plan[Array]:
    """A plan with its three maps."""
    phy2log, rank, logcnt = place(lib, weight, sizes=sizes)
    width = sizes.num_replicas - weight.shape[-1] + 1
    return Plan(phy2log, expert_to_slots(lib, phy2log, rank, logcnt, width), logcnt)


def place(lib: Standard, weight: Array, *, sizes: Sizes) -> Placement:
    """Replicas for the experts, and a slot for each."""
    xp = lib.xp
    layers, experts = weight.shape
    nodes = sizes.num_nodes
    rows = layers * nodes  # from here on each node of each layer plans for itself

    load = scaled(lib, weight).load
    node2log = _experts_by_node(lib, load, sizes)  # [layers, experts]
    node_load = xp.reshape(xp.take_along_axis(load, node2log, axis=-1), (rows, experts // nodes))

    replicas = replicate(lib, node_load, sizes.num_replicas // nodes)
    share = lib.divide(node_load, xp.astype(replicas.count, xp.float32))
    replica_load = xp.take_along_axis(share, replicas.expert, axis=-1)

    slot2phy = pack(lib, replica_load, sizes.num_gpus // nodes)  # [rows, replicas of a node]

    slot2node = xp.take_along_axis(replicas.expert, slot2phy, axis=-1)
    rank = xp.take_along_axis(replicas.rank, slot2phy, axis=-1)
    first = lib.arange(nodes, load)[None, :, None] * (experts // nodes)
    slot2node = xp.reshape(slot2node, (layers, nodes, sizes.num_replicas // nodes)) + first
    by_layer = (layers, sizes.num_replicas)
    phy2log = xp.take_along_axis(node2log, xp.reshape(slot2node, by_layer), axis=-1)
    count = xp.reshape(replicas.count, (layers, experts))
    logcnt = lib.put_along_axis(count, node2log, count)
    return Placement(phy2log, xp.reshape(rank, by_layer), logcnt)


def _experts_by_node(lib: Standard, load: Array, sizes: Sizes) -> Array:
    """The experts of each node, node after node, whole groups packed onto nodes by their load."""
    xp = lib.xp
    layers, experts = load.shape
    size = experts // sizes.num_groups
    group_load = tree_sum(lib, xp.reshape(load, (layers, sizes.num_groups, size)))
    group = pack(lib, group_load, sizes.num_nodes)  # [layers, groups], node after node
    return xp.reshape(group[:, :, None] * size + lib.arange(size, load)[None, None, :], (layers, experts))


def pack_items(lib: Standard, weight: Array, *, num_packs: int) -> tuple[Array, Array]:
    """The packing alone: the pack of each item, and its rank there."""
    slot = inverse(lib, pack(lib, scaled(lib, weight).load, num_packs))
    capacity = weight.shape[-1] // num_packs
    return slot // capacity, slot % capacity


def replicate_loads(lib: Standard, weight: Array, *, num_replicas: int) -> Replicas:
    """The replication alone."""
    return replicate(lib, scaled(lib, weight).load, num_replicas)
