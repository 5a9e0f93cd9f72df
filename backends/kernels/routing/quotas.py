"""Quotas, as `algorithms/routing/quotas.py` divides shares among ranks: a program for some experts of a layer.

There all experts are worked out at once, slot by slot. The last replica of an expert takes what is left, so here only
those with several are looked at, one after the other: sums over the GPUs before one, and over nodes, say where tokens
of a rank stand, and where the room of a slot.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.improving.table import entry_of
from eplb_xp.backends.kernels.routing.route import index


@triton.jit
def _clipped(x, most):
    return tl.minimum(tl.maximum(x, 0), most)


@triton.jit
def _tokens(at, there, S: tl.constexpr):
    """What lies in these places of counts or shares, negative ones being none."""
    return tl.maximum(index(tl.load(at, mask=there, other=0), S), 0)


@triton.jit
def _looked_up(at, there, S: tl.constexpr):
    """The experts in these slots; in a slot that isn't there, the number of all."""
    expert = _clipped(index(tl.load(at, mask=there, other=0), S), S.experts - 1).to(tl.int32)
    return tl.where(there, expert, S.experts)


@triton.jit
def _before_last(logcnt, there, S: tl.constexpr):
    """How many replicas stand before the last."""
    return _clipped(index(tl.load(logcnt, mask=there, other=0), S) - 1, S.width).to(tl.int32)


@triton.jit
def _behind(begin, end, other, before):
    """Where in the next line that stands of a stretch which is behind the end of the other line."""
    return before + tl.maximum(begin - other, 0), before + tl.maximum(end - other, 0)


@triton.jit
def _lines(begin, end, mine, others, gpu, its_gpu, S: tl.constexpr):
    """From where to where a stretch of a GPU's line stands in the line of its node, and in that of all.

    Each GPU has so much, and against it others have; what is left of one of them goes on.
    """
    its_node = its_gpu // S.node_gpus
    left, others_left = tl.maximum(mine - others, 0), tl.maximum(others - mine, 0)
    earlier = tl.where((gpu // S.node_gpus == its_node) & (gpu < its_gpu), left, 0)
    begin, end = _behind(begin, end, tl.sum(tl.where(gpu == its_gpu, others, 0)), tl.sum(earlier))

    node = tl.arange(0, S.nodes2)
    left, others_left = tl.sum(left, axis=1), tl.sum(others_left, axis=1)
    against = entry_of(others_left, node, its_node)
    earlier = tl.sum(tl.where(node < its_node, tl.maximum(left - others_left, 0), 0), axis=0)
    of_all_begin, of_all_end = _behind(begin, end, against, earlier)
    return begin, end, of_all_begin, of_all_end


@triton.jit
def _both(begin, end, others_begin, others_end):
    """How much of two stretches is at the same place."""
    return tl.maximum(tl.minimum(end, others_end) - tl.maximum(begin, others_begin), 0)


@triton.jit
def _all_slots(phy2log, share, S: tl.constexpr):
    """GPUs [nodes, GPUs of a node], and of all their slots, behind these, numbers, experts and room."""
    place = tl.arange(0, S.node2)[None, :]
    gpu = tl.where(place < S.node_gpus, tl.arange(0, S.nodes2)[:, None] * S.node_gpus + place, S.ranks)
    gpu = tl.minimum(gpu, S.ranks)  # nobody's
    on_gpu = tl.arange(0, S.capacity2)[None, None, :]
    slot = gpu[:, :, None] * S.capacity + on_gpu
    there = (gpu < S.ranks)[:, :, None] & (on_gpu < S.capacity)
    return gpu, slot, _looked_up(phy2log + slot, there, S), _tokens(share + slot, there, S)


@triton.jit
def _divide(expert, number, its_rank, gpu, slot, owner, room, share, phy2log, log2phy, counts, quota, S: tl.constexpr):
    """Write what the rank's tokens of an expert have up to each of so many replicas.

    A row that has a slot of another expert is no plan's; that expert's lines are made then, too. What is left is
    counted, since Triton 3.6 takes two variables that begin with one value for one.
    """
    whose, left, until = expert, number, index(number * 0, S)
    while left > 0:
        tokens = _tokens(counts + gpu * S.experts + whose, gpu < S.ranks, S)
        rooms = tl.sum(tl.where(owner == whose, room, 0), axis=2)
        its_own = _tokens(counts + its_rank * S.experts + whose, whose < S.experts, S)
        near_begin, near_end, all_begin, all_end = _lines(its_own * 0, its_own, tokens, rooms, gpu, its_rank, S)
        is_whose = left > 0
        while is_whose & (left > 0):
            replica = number - left
            at = _clipped(index(tl.load(log2phy + expert * S.width + replica), S), S.slots - 1).to(tl.int32)
            its_gpu = at // S.capacity
            earlier = (owner == whose) & (gpu[:, :, None] == its_gpu) & (slot < at)
            begin = tl.sum(tl.where(earlier, room, 0))
            end = begin + _tokens(share + at, at >= 0, S)
            taken = tl.where(its_gpu == its_rank, _both(begin, end, begin * 0, its_own), 0)
            begin, end, of_all_begin, of_all_end = _lines(begin, end, rooms, tokens, gpu, its_gpu, S)
            is_near = its_gpu // S.node_gpus == its_rank // S.node_gpus
            taken += tl.where(is_near, _both(begin, end, near_begin, near_end), 0)
            taken += _both(of_all_begin, of_all_end, all_begin, all_end)
            its_expert = _looked_up(phy2log + at, at >= 0, S)
            is_whose = its_expert == whose
            until += tl.where(is_whose, taken, 0)
            tl.store(quota + expert * S.width + replica, until, mask=is_whose)
            left -= is_whose.to(tl.int32)
            whose = its_expert


@triton.jit(do_not_specialize=["rank_stride"])
def quotas(rank, share, phy2log, log2phy, logcnt, counts, rank_stride, quota, S: tl.constexpr):
    """The rank is one for each layer, of which all ranks have some programs; or each rank has its own."""
    layer = tl.program_id(0).to(tl.int64)
    of_slot, of_expert = layer * S.slots, layer * S.experts
    share += of_slot
    phy2log += of_slot
    log2phy += of_expert * S.width
    logcnt += of_expert
    counts += of_expert * S.ranks
    if S.is_of_one:
        its_rank = _clipped(index(tl.load(rank + layer * rank_stride), S), S.ranks - 1).to(tl.int32)
        quota += of_expert * S.width
    else:
        its_rank = tl.program_id(2)
        quota += (layer * S.ranks + its_rank) * (S.experts * S.width)

    first = tl.program_id(1) * S.block
    e = first + tl.arange(0, S.block)[:, None]
    before_last = _before_last(logcnt + e, e < S.experts, S)
    own = _tokens(counts + its_rank * S.experts + e, e < S.experts, S)
    if tl.max(tl.max(before_last, axis=0), axis=0) > 0:
        gpu, slot, owner, room = _all_slots(phy2log, share, S)
        for expert in range(first, tl.minimum(first + S.block, S.experts)):
            number = _before_last(logcnt + expert, expert < S.experts, S)
            _divide(expert, number, its_rank, gpu, slot, owner, room, share, phy2log, log2phy, counts, quota, S)

    # The last replica, and all behind it, have what the rank has.
    for some in range(0, S.width, S.width_block):
        replica = some + tl.arange(0, S.width_block)[None, :]
        is_last = (e < S.experts) & (replica < S.width) & (replica >= before_last)
        tl.store(quota + e * S.width + replica, tl.broadcast_to(own, is_last.shape), mask=is_last)
