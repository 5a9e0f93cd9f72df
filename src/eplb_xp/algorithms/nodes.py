"""Whole groups of experts on nodes, each of which plans for its own experts."""

from eplb_xp.algorithms.assignment import assign
from eplb_xp.algorithms.packing.packed import packed
from eplb_xp.algorithms.placement import Placement, place_in_node
from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import POLICIES, Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array

EPLB = POLICIES["greedy"]


def place_on_nodes(lib: Standard, load: Array, sizes: Sizes, policy: Policy) -> Placement:
    """Groups packed onto nodes as EPLB does; and with the policy's swaps too, where that can split them otherwise."""
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
    node = place_in_node(lib, node_load, sizes.of_node, policy)

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
