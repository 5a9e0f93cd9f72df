"""Whole groups of experts onto nodes, as `algorithms/nodes.py` packs them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import descending, index_in, load_in
from eplb_xp.backends.kernels.improving.refinement import refine
from eplb_xp.backends.kernels.improving.table import places, slot_sums
from eplb_xp.backends.kernels.packing.heaviest_first import pack
from eplb_xp.backends.kernels.packing.packed import SINGLE
from eplb_xp.backends.kernels.rows import leaf, tree_sums, tree_total
from eplb_xp.backends.kernels.scaling import clean, scaled


@triton.jit
def group_loads(weight_at, column_stride, first, second, S: tl.constexpr):
    """The load of each group of a layer: [groups]."""
    group = tl.arange(0, S.groups2)[:, None]
    place, is_one = leaf(tl.arange(0, 2**S.size_levels)[None, :], S.group_size, S.size_levels)
    there = is_one & (group < S.groups)
    weight = tl.load(weight_at + (group * S.group_size + place) * column_stride, mask=there, other=0)
    return tree_sums(scaled(clean(weight), first, second), S.groups2, S.size_levels)


@triton.jit
def split(group_load, own, rounds, S: tl.constexpr):
    """Write the groups of each node, node after node, after at most so many swaps."""
    g = tl.arange(0, S.groups2)
    to_at = own + S.group_at
    if S.groups == S.nodes:
        tl.store(to_at + g, g, mask=g < S.groups)
    else:
        key = tl.sort(descending(group_load, g))
        if S.nodes == 1:
            tl.store(to_at + g, index_in(key), mask=g < S.groups)
        else:
            loads_at = (own + S.sorted_load_at).to(tl.pointer_type(tl.float32), bitcast=True)
            tl.store(loads_at + g, load_in(key), mask=g < S.groups)
            tl.store(own + S.sorted_tag_at + g, index_in(key), mask=g < S.groups)
            tl.debug_barrier()
            pack(loads_at, own + S.slot_at, S.groups, S.groups2, S.nodes, S.nodes2, S.node_groups)
            tl.debug_barrier()
            rank, node, place = places(S.node_groups2, S.nodes, S.nodes2)
            there = (rank < S.node_groups) & (node < S.nodes)
            item = tl.load(own + S.slot_at + place, mask=there, other=0)
            tag = tl.load(own + S.sorted_tag_at + item, mask=there, other=-1) + SINGLE
            if S.halves == 2:
                load = tl.load(loads_at + item, mask=there, other=0.0)
                least_gain = tree_total(group_load, S.groups, S.group_levels) * S.threshold
                pack_load = slot_sums(load, rank, S.node_groups)
                load, tag, _ = refine(load, tag, pack_load, least_gain, rounds, S.nodes, S.node_groups, S.lightest)
            tl.store(to_at + node * S.node_groups + rank, tag - SINGLE, mask=there)
    tl.debug_barrier()


@triton.jit
def experts_of_node(groups_at, node, S: tl.constexpr):
    """The experts of a node: [node experts]."""
    e = tl.arange(0, S.node_experts2)
    if S.groups == 1:
        return e
    group = tl.load(groups_at + node * S.node_groups + e // S.group_size, mask=e < S.node_experts, other=0)
    return group * S.group_size + e % S.group_size
