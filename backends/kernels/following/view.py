"""What a step looks at, as `algorithms/following/view.py` has it: the busiest GPU's experts, and all GPUs.

A place's tag is its expert, and whether its GPU holds that more often than before, and more than once. A step costs -2
to 2 moves, and what its gain is multiplied by is one of three bytes in a word.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.rows import leaf, tree_sum

BEYOND = tl.constexpr(1 << 16)
DOUBLED = tl.constexpr(1 << 17)
NEVER = tl.constexpr(31)  # a shift that leaves nothing


@triton.jit
def expert_of(tag):
    return tag & 0xFFFF


@triton.jit
def is_beyond(tag):
    """1 where it is."""
    return (tag >> 16) & 1


@triton.jit
def is_doubled(tag):
    return (tag >> 17) > 0


@triton.jit
def is_on(masks_at, expert, position, there, S: tl.constexpr):
    """1 where experts are on a GPU, which stands at a place of the tree."""
    word = tl.load(masks_at + expert * S.words + position // 32, mask=there, other=0)
    return (word >> position % 32) & 1


@triton.jit
def all_over(over, S: tl.constexpr):
    """What all GPUs have above the target."""
    if not S.is_even:
        place = tl.arange(0, S.gpus2)
        index, is_one = leaf(place, S.gpus, S.gpu_levels)
        is_one = is_one & (place < 2**S.gpu_levels)
        over = tl.where(is_one, tl.gather(over, index, 0), 0.0)
    return tree_sum(over, S.leaf_levels)


@triton.jit
def _factor(cost, left):
    """The bits of what a gain is multiplied by: 2^20 where it costs nothing, 1, 1/2, or 0 where it costs too much."""
    return tl.where(cost <= left, tl.where(cost > 1, 126, tl.where(cost < 1, 147, 127)), 0)


@triton.jit
def factors_from(cost, left):
    """Those of a cost, of one more and of two more, in three bytes."""
    return (_factor(cost, left) << 23) | (_factor(cost + 1, left) << 15) | (_factor(cost + 2, left) << 7)


@triton.jit
def factor_at(factors, shift):
    """The one that the shift brings to the top: of 8 for each cost more, or none."""
    return float_of((factors << shift) & 0x7F800000)


@triton.jit
def store_ours(gpu, excess, position, own, its, S: tl.constexpr):
    """Write what it takes to bring each expert of the busiest GPU to each GPU; a bit for each that has others.

    For swaps and copies that is a shift each. Also what the GPU of an expert without others has less above the target
    once there is one, and what each of its replicas has then.
    """
    P: tl.constexpr = S.gpus
    rank, other = tl.arange(0, S.capacity2), tl.arange(0, S.gpus2)
    real = rank < S.capacity
    tag = tl.load(own + S.tag_at + rank * P + gpu, mask=real, other=0)
    expert = expert_of(tag)
    there = real[:, None] & (other[None, :] < P)
    at = expert[:, None] + (other * 0)[None, :]
    leaves = position[None, :] + (rank * 0)[:, None]
    never = is_on(own + S.mask_at, at, leaves, there, S) > 0
    was = is_on(its + S.was_at, at, leaves, there, S)
    if S.nodes > 1:
        never = never | (other // S.gpus_of_node != gpu // S.gpus_of_node)[None, :]
    swap = (2 - was - is_beyond(tag)[:, None]) * 8
    copy = (1 - was) * 8
    several = gpu * 0
    if S.keeps_links | S.changes_counts:
        count = tl.load(own + S.count_at + expert, mask=real, other=0)
        if S.keeps_links:
            swap = tl.where((count > 1)[:, None], NEVER, swap)
        if S.is_capped:
            copy = tl.where((count >= S.most)[:, None], NEVER, copy)
        several = tl.sum((count > 1).to(tl.int32) << rank, axis=0)
    code = tl.where(never, NEVER, swap) | (tl.where(never, NEVER, copy) << 8)
    tl.store(own + S.code_at + rank[:, None] * P + other[None, :], code, mask=there)
    if S.changes_counts:
        share = float_of(tl.load(own + S.share_at + expert, mask=real, other=0))
        less = float_of(tl.load(own + S.less_at + expert, mask=real, other=0))
        relief = excess - tl.maximum(excess - (share - less), 0.0)
        tl.store(own + S.relief_at + rank, bits_of(relief), mask=real)
        tl.store(own + S.our_less_at + rank, bits_of(less), mask=real)
    return several
