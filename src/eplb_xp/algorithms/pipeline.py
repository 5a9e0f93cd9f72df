"""The whole plan, step by step.

loads -> groups to nodes -> replica counts -> replicas to GPUs (packing, swaps, best start) -> maps

A global plan is a hierarchical one with one group on one node. The policies are settings of this one
pipeline.
"""

from typing import NamedTuple

from eplb_xp.algorithms.assignment import assign
from eplb_xp.algorithms.joint import Placed, better_placed
from eplb_xp.algorithms.maps import expert_to_slots, rank_by_slot
from eplb_xp.algorithms.replication import Replicas, hand_out, replicate
from eplb_xp.algorithms.rows import inverse, tree_sum
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.algorithms.spares import Range
from eplb_xp.algorithms.swaps import packed
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import POLICIES, Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan

# What an expert without load counts as where replicas are handed out: less than any load with its replicas.
IDLE_LOAD = 2.0**-80

EPLB = POLICIES["greedy"]


class Placement(NamedTuple):
    """The replica in each slot: of the layers, or of nodes that see only their own experts."""

    phy2log: Array  # [layers, replicas] its expert
    rank: Array  # [layers, replicas] which replica of the expert it is
    logcnt: Array  # [layers, experts] replicas of each expert


def plan(lib: Standard, weight: Array, *, sizes: Sizes, policy: Policy) -> Plan[Array]:
    """A plan with its three maps."""
    phy2log, rank, logcnt = place(lib, weight, sizes=sizes, policy=policy)
    width = sizes.max_replicas or sizes.num_replicas - weight.shape[-1] + 1
    return Plan(phy2log, expert_to_slots(lib, phy2log, rank, logcnt, width), logcnt)


def place(lib: Standard, weight: Array, *, sizes: Sizes, policy: Policy) -> Placement:
    """Replicas for the experts, and a slot for each."""
    load = scaled(lib, weight).load
    if sizes.num_groups == 1:
        return _place_in_node(lib, load, sizes, policy)
    node2log = _experts_by_node(lib, load, sizes, EPLB)
    if not (policy.rounds > 0 and 1 < sizes.num_nodes < sizes.num_groups):
        return _place_by_node(lib, load, node2log, sizes, policy)
    # Evener nodes mostly mean an evener plan, but not always: both splits of the groups are planned for.
    node2log = lib.xp.concat([node2log, _experts_by_node(lib, load, sizes, policy)], axis=0)
    load = lib.xp.concat([load, load], axis=0)
    return _better_half(lib, load, _place_by_node(lib, load, node2log, sizes, policy), sizes)


def _experts_by_node(lib: Standard, load: Array, sizes: Sizes, policy: Policy) -> Array:
    """The experts of each node, node after node, whole groups packed onto nodes by their load, from one start.

    More starts, and exchanges, give other splits, and so plans that are worse by the way.
    """
    xp = lib.xp
    layers, experts = load.shape
    size = experts // sizes.num_groups
    group_load = tree_sum(lib, xp.reshape(load, (layers, sizes.num_groups, size)))
    group = assign(lib, group_load, sizes.num_nodes, policy, thorough=False)  # [layers, groups], node after node
    return xp.reshape(group[:, :, None] * size + lib.arange(size, load)[None, None, :], (layers, experts))


def _place_by_node(lib: Standard, load: Array, node2log: Array, sizes: Sizes, policy: Policy) -> Placement:
    """Each node plans for its own experts, those of ``node2log`` [layers, experts], node after node."""
    xp = lib.xp
    layers, experts = load.shape
    nodes, replicas = sizes.num_nodes, sizes.num_replicas
    # Each node of each layer is a row.
    node_load = xp.reshape(lib.take_along_axis(load, node2log), (layers * nodes, experts // nodes))
    node = _place_in_node(lib, node_load, sizes.of_node, policy)

    first = lib.arange(nodes, load)[None, :, None] * (experts // nodes)
    slot2node = xp.reshape(xp.reshape(node.phy2log, (layers, nodes, replicas // nodes)) + first, (layers, replicas))
    phy2log = lib.take_along_axis(node2log, slot2node)
    count = xp.reshape(node.logcnt, (layers, experts))
    return Placement(phy2log, xp.reshape(node.rank, (layers, replicas)), lib.put_along_axis(count, node2log, count))


def _better_half(lib: Standard, load: Array, placement: Placement, sizes: Sizes) -> Placement:
    """Of two placements for each layer, one half of the layers after the other, that with the lower busiest GPU."""
    xp = lib.xp
    share = lib.divide(load, xp.astype(placement.logcnt, xp.float32))
    gpu_load = packed(lib, placement.phy2log, share, sizes.num_gpus).pack_load
    busiest = xp.max(gpu_load, axis=-1, keepdims=True)
    half = load.shape[0] // 2
    second = busiest[half:, :] < busiest[:half, :]
    return Placement(*(xp.where(second, x[half:, :], x[:half, :]) for x in placement))


def _place_in_node(lib: Standard, load: Array, sizes: Sizes, policy: Policy) -> Placement:
    """All experts within reach of all slots."""
    return (_place_as_eplb if policy.may_double else _place_apart)(lib, load, sizes, policy)


def _place_as_eplb(lib: Standard, load: Array, sizes: Sizes, policy: Policy) -> Placement:
    """As many replicas as the load asks for, wherever they fit; ranks in the order handed out."""
    xp = lib.xp
    expert, rank, count = replicate(lib, load, sizes.num_replicas)
    share = lib.divide(load, xp.astype(count, xp.float32))
    replica_load = xp.concat([share, lib.take_along_axis(share, expert[:, load.shape[-1] :])], axis=-1)
    slot2phy = assign(lib, replica_load, sizes.num_gpus, policy, thorough=True)
    return Placement(lib.take_along_axis(expert, slot2phy), lib.take_along_axis(rank, slot2phy), count)


def _place_apart(lib: Standard, load: Array, sizes: Sizes, policy: Policy) -> Placement:
    """At most as many replicas of an expert as GPUs, no two on one GPU; ranks in the order of slots.

    With room for every expert on every GPU, each gets all of them, and only the slots left over are
    planned: whatever goes there is doubled.
    """
    xp = lib.xp
    rows, experts = load.shape
    slots, gpus = sizes.num_replicas, sizes.num_gpus
    everywhere = slots >= experts * gpus
    fewest = gpus if everywhere else 1
    most = sizes.max_replicas or slots
    within = Range(fewest, most if everywhere else min(most, gpus))
    positive = xp.where(load > 0.0, load, IDLE_LOAD)
    spares = hand_out(lib, positive, slots - experts * fewest, within)
    spare, count = spares.expert, spares.count
    share = lib.divide(load, xp.astype(count, xp.float32))

    expert, replica_load = spare, lib.take_along_axis(share, spare)
    if not everywhere:
        expert = xp.concat([lib.arange_like(load), expert], axis=-1)
        replica_load = xp.concat([share, replica_load], axis=-1)
    apart = None if everywhere else expert
    slot2phy = assign(lib, replica_load, gpus, policy, thorough=True, expert=apart)
    slot2expert = lib.take_along_axis(expert, slot2phy)
    if everywhere:
        each = xp.broadcast_to(lib.arange(experts, load), (rows, gpus, experts))
        more = xp.reshape(slot2expert, (rows, gpus, slots // gpus - experts))
        # Behind what differs between GPUs: added to two sums, the same loads can't turn their order round.
        slot2expert = xp.reshape(xp.concat([more, each], axis=-1), (rows, slots))
    elif gpus > 1:
        placed = Placed(slot2expert, count)
        slot2expert, count = better_placed(lib, load, spares, placed, num_packs=gpus, most=within.most, policy=policy)
    return Placement(slot2expert, rank_by_slot(lib, slot2expert, count), count)


def pack_items(lib: Standard, weight: Array, *, num_packs: int, policy: Policy) -> tuple[Array, Array]:
    """The packing alone: the pack of each item, and its rank there."""
    slot = inverse(lib, assign(lib, scaled(lib, weight).load, num_packs, policy, thorough=True))
    capacity = weight.shape[-1] // num_packs
    return slot // capacity, slot % capacity


def replicate_loads(lib: Standard, weight: Array, *, num_replicas: int) -> Replicas:
    """The replication alone."""
    return replicate(lib, scaled(lib, weight).load, num_replicas)
