"""What of a previous plan can be kept: the rest of its slots count as empty."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import choose
from eplb_xp.algorithms.runs import by_item, runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array


class Kept(NamedTuple):
    """Slots, of which some hold nobody: expert number ``experts``."""

    expert: Array  # [rows, replicas]
    node: Array  # [rows, experts] where the replicas of each expert go


def kept(lib: Standard, previous: Array, experts: int, sizes: Sizes) -> Kept:
    """Slots without what is no expert, beyond the most replicas of one, or on another node than its group."""
    xp = lib.xp
    previous = xp.astype(previous, lib.index_dtype)
    expert = xp.where((previous >= 0) & (previous < experts), previous, experts)
    rows, slots = expert.shape
    node = xp.zeros_like(xp.broadcast_to(expert[:, :1], (rows, experts)))
    if sizes.num_nodes > 1:
        size = experts // sizes.num_groups
        node_of_group = _nodes_of_groups(lib, expert, size, sizes)
        node = lib.take_along_axis(node_of_group, lib.arange_like(node) // size)
        own = lib.take_along_axis(xp.concat([node, node[:, :1]], axis=-1), expert)
        expert = xp.where(own == lib.arange_like(expert) // (slots // sizes.num_nodes), expert, experts)
    if sizes.max_replicas is not None:
        runs = runs_of(lib, expert, experts + 1)
        rank = lib.arange_like(expert) - lib.take_along_axis(runs.first, runs.owner)
        expert = xp.where(by_item(lib, runs, rank) < sizes.max_replicas, expert, experts)
    return Kept(expert, node)


class _Groups(NamedTuple):
    """Groups that find their nodes."""

    node: Array  # [rows, groups]; as many as there are nodes where none is found yet
    room: Array  # [rows, nodes] for so many more groups


def _nodes_of_groups(lib: Standard, expert: Array, size: int, sizes: Sizes) -> Array:
    """The node of each group: that which holds most of it, as far as there is room; most of all groups come first."""
    xp = lib.xp
    rows, slots = expert.shape
    groups, nodes = sizes.num_groups, sizes.num_nodes
    by_node = xp.reshape(expert // size, (rows, nodes, slots // nodes))
    held = [xp.count_nonzero(by_node == group, axis=-1) for group in range(groups)]
    held = xp.stack(held, axis=1)  # [rows, groups, nodes]

    def unfinished(found: _Groups) -> Array:
        return xp.any(found.node == nodes)

    def place_one(found: _Groups) -> _Groups:
        is_open = (found.node == nodes)[:, :, None] & (found.room > 0)[:, None, :]
        worth = xp.reshape(xp.where(is_open, held, -1), (rows, groups * nodes))
        best = lib.argmin(-worth)
        group, node = best // nodes, best % nodes
        placed = _Groups(
            xp.where(lib.arange_like(found.node) == group, node, found.node),
            found.room - xp.astype(lib.arange_like(found.room) == node, lib.index_dtype),
        )
        return choose(lib, xp.any(found.node == nodes, axis=-1, keepdims=True), placed, found)

    none = xp.zeros_like(expert[:, :1])
    start = _Groups(
        xp.broadcast_to(none + nodes, (rows, groups)), xp.broadcast_to(none + groups // nodes, (rows, nodes))
    )
    return lib.while_loop(unfinished, place_one, start).node
