"""The three maps of a plan, as `algorithms/maps.py` has them, from the tag in each slot of a row."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import ones
from eplb_xp.backends.kernels.nodes import experts_of_node
from eplb_xp.backends.kernels.packing.packed import SINGLE


@triton.jit
def clear(groups_at, layer, node, log2phy, S: tl.constexpr):
    """Write that no slots are known yet of the experts of a row."""
    E: tl.constexpr = S.node_experts
    X: tl.constexpr = S.width
    BLOCK: tl.constexpr = 1024
    to_at = log2phy + layer * (S.experts * X)
    for begin in range(0, E * X, BLOCK):
        entry = begin + tl.arange(0, BLOCK)
        there = entry < E * X
        at = entry
        if S.groups > 1:
            expert = entry // X
            its_group = groups_at + node * S.node_groups + expert // S.group_size
            group = tl.load(its_group, mask=there, other=0)
            at = (group * S.group_size + expert % S.group_size) * X + entry % X
        tl.store(to_at + at, tl.full([BLOCK], -1, log2phy.dtype.element_ty), mask=there)


@triton.jit
def _rank(expert, gpu, there, masks_at, S: tl.constexpr):
    """How many GPUs before its own have an expert too, no GPU having it twice; the masks are zero before."""
    own_at = masks_at + expert * S.mask_words
    tl.atomic_or(own_at + gpu // 32, 1 << gpu % 32, mask=there, sem="relaxed")
    tl.debug_barrier()
    rank = gpu * 0
    for word in range(S.mask_words):
        mask = tl.load(own_at + word, mask=there, other=0)
        before = (1 << gpu % 32) - 1
        mask = tl.where(gpu // 32 > word, mask, tl.where(gpu // 32 == word, mask & before, mask & 0))
        rank += ones(mask)
    return rank


@triton.jit
def by_expert(expert, slot, there, count, E: tl.constexpr, SLOTS2: tl.constexpr):
    """Slots in the order of their experts, and their ranks in that of slots; what is not there comes last."""
    key = tl.sort(tl.where(there, expert * SLOTS2 + slot, 0x7FFFFFFF))
    expert = tl.minimum(key // SLOTS2, E - 1)
    rank = tl.arange(0, SLOTS2) - tl.gather(tl.cumsum(count, axis=0) - count, expert, 0)
    return expert, key % SLOTS2, rank


@triton.jit
def write_maps(own, counts_at, row_at, layer, node, phy2log, log2phy, logcnt, S: tl.constexpr):
    """Write a row's part of the maps; all that it takes from memory must be there for all threads.

    `own` has the slots, `row_at` what all placements of the row share.
    """
    E: tl.constexpr = S.node_experts
    X: tl.constexpr = S.width
    CAPACITY: tl.constexpr = S.slots // S.gpus
    e = tl.arange(0, S.node_experts2)
    expert_of = experts_of_node(row_at + S.group_at, node, S)
    count = tl.load(counts_at + e, mask=e < E, other=0)
    tl.store(logcnt + layer * S.experts + expert_of, count, mask=e < E)

    place = tl.arange(0, S.slots2)
    there = place < S.slots
    gpu, place_rank = place % S.gpus, place // S.gpus
    slot = gpu * CAPACITY + place_rank
    if S.everywhere:
        # Behind what differs between GPUs stands each expert once.
        spare = there & (place_rank < S.capacity)
        item = tl.load(own + S.slot_at + place, mask=spare, other=0) % SINGLE
        local = tl.where(spare, tl.load(row_at + S.spare_at + item, mask=spare, other=0), place_rank - S.capacity)
        local, slot, rank = by_expert(local, slot, there, count, E, S.slots2)
    else:
        item = tl.load(own + S.slot_at + place, mask=there, other=0) % SINGLE
        if S.by_expert:
            local = item
            rank = _rank(local, gpu, there, row_at + S.mask_at, S)
        else:
            spare = there & (item >= E)
            local = tl.where(spare, tl.load(row_at + S.spare_at + item - E, mask=spare, other=0), item)
            rank = tl.where(spare, tl.load(row_at + S.spare_rank_at + item - E, mask=spare, other=0), 0)
    expert = tl.gather(expert_of, tl.minimum(local, E - 1), 0)
    slot += node * S.slots
    tl.store(phy2log + layer * S.layer_slots + slot, expert, mask=there)
    tl.store(log2phy + layer * (S.experts * X) + expert * X + rank, slot, mask=there)
