"""What the busiest node has at least, under any split of whole groups over nodes."""

from itertools import combinations

from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

MOST_GROUPS_SPLIT_EXACTLY = 8

MOST_GROUPS_TOGETHER = 4


def busiest_node(lib: Standard, group_load: Array, num_nodes: int) -> Array:
    """At most the load of the busiest node, whichever groups go together: [layers]."""
    num_groups = group_load.shape[-1]
    if num_groups <= MOST_GROUPS_SPLIT_EXACTLY:
        return _best_split(lib, group_load, num_nodes)
    return _crowded_node(lib, group_load, num_nodes)


def _best_split(lib: Standard, group_load: Array, num_nodes: int) -> Array:
    """The busiest node's load under the best of all splits into nodes of equally many groups."""
    xp = lib.xp
    layers, num_groups = group_load.shape
    splits = _splits(tuple(range(num_groups)), num_groups // num_nodes)
    table = lib.constant([group for split in splits for node in split for group in node], group_load)
    index = xp.broadcast_to(table, (layers, table.shape[0]))
    member_load = lib.take_along_axis(group_load, index)
    node = xp.reshape(member_load, (layers, len(splits), num_nodes, num_groups // num_nodes))
    return xp.min(xp.max(tree_sum(lib, node), axis=-1), axis=-1)


def _splits(groups: tuple[int, ...], size: int) -> list[list[tuple[int, ...]]]:
    """All ways to split groups into sets of a size, the order of the sets aside."""
    if not groups:
        return [[]]
    first, rest = groups[0], groups[1:]
    found = []
    for others in combinations(rest, size - 1):
        remaining = tuple(group for group in rest if group not in others)
        found += [[(first, *others), *split] for split in _splits(remaining, size)]
    return found


def _crowded_node(lib: Standard, group_load: Array, num_nodes: int) -> Array:
    """A bound by pigeonholes, for more groups than all splits can be tried for.

    Of the m * nodes + 1 largest groups some node holds m + 1 or more, so at least the m + 1
    smallest of those; the rest of that node weighs at least as much as the smallest groups of all.
    """
    xp = lib.xp
    num_groups = group_load.shape[-1]
    per_node = num_groups // num_nodes
    ordered, _ = lib.sort_rows(group_load, lib.arange_like(group_load), descending=True)
    bound = xp.zeros_like(group_load[:, 0])
    for m in range(min(per_node, MOST_GROUPS_TOGETHER)):
        together = ordered[:, m * num_nodes - m : m * num_nodes + 1]
        others = ordered[:, num_groups - (per_node - m - 1) :]
        bound = xp.maximum(bound, tree_sum(lib, xp.concat([together, others], axis=-1)))
    return bound
