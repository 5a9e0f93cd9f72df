"""Where paths are aimed, as `algorithms/following/turns.py` aims them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of
from eplb_xp.backends.kernels.rows import tree_total


@triton.jit
def store_lowest(load, its, S: tl.constexpr):
    """Write the sum of all loads, and the mean GPU load of the node that has most; nodes of experts must be there."""
    e = tl.arange(0, S.experts2)
    total = tree_total(load, S.experts, S.expert_levels)
    tl.store(its + S.total_at, bits_of(total))
    UP: tl.constexpr = S.up
    most = total
    if S.nodes > 1:
        most = total * 0.0
        node = tl.load(its + S.node_at + e, mask=e < S.experts, other=-1)
        for n in range(S.nodes):
            most = tl.maximum(most, tree_total(tl.where(node == n, load, 0.0), S.experts, S.expert_levels))
    lowest = tl.div_rn(most * (1.0 / UP), most * 0 + S.gpus_of_node) * UP
    tl.store(its + S.lowest_at, bits_of(lowest))


@triton.jit
def target(path, lowest, reached, S: tl.constexpr):
    """What no GPU should have more than on a path, given what the best placing's busiest GPU has before it."""
    one, other = lowest * 0, lowest * 0
    for i in tl.static_range(S.paths):
        one = tl.where(path == i, S.one_part[i], one)
        other = tl.where(path == i, S.other_part[i], other)
    excess = reached - lowest
    return lowest + (excess * one + excess * other)


@triton.jit
def lowest_of(paths_at, NUMBER: tl.constexpr, S: tl.constexpr):
    """The bits of what the busiest GPU has in the best placing of some paths, and the first path that has it."""
    i = tl.arange(0, 8)
    bits = tl.load(paths_at + i * S.path_words + S.high_at, mask=i < NUMBER, other=HIGHEST)
    low = tl.min(bits, axis=0)
    return low, tl.min(tl.where(bits == low, i, 8), axis=0)
