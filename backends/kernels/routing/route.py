"""Slots of tokens, as `algorithms/routing/route.py` finds them: by the number of each among those of its expert.

There tokens are sorted. Here those of the same expert before each one are counted. Of 32 tokens in a row there is a
word for each bit of their experts, with a bit for each token; an expert has the tokens at which all words agree with
it. Where tokens are many, each block of them is counted first.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import ones


@triton.jit
def index(x, S: tl.constexpr):
    """Integers as the library has indices."""
    return x.to(tl.int64) if S.index_bits == 64 else x.to(tl.int32)


@triton.jit
def _read(experts, place, ids, S: tl.constexpr):
    """The experts of the tokens in these places, or the number of all where there is none."""
    expert = index(tl.load(experts + place, mask=place < ids, other=0), S)
    is_one = (place < ids) & (expert >= 0) & (expert < S.experts)
    return tl.where(is_one, expert, S.experts).to(tl.int32)


@triton.jit
def _both(x, y):
    return x & y


@triton.jit
def _numbers(experts, begin, ids, asked, before, S: tl.constexpr):
    """How many of so many tokens, from one on, have the experts that are asked for."""
    word = tl.arange(0, S.words)[:, None]
    lane = tl.arange(0, 32)[None, :]
    bit = tl.arange(0, S.bits2)[:, None, None]
    expert = _read(experts, begin + 32 * word + lane, ids, S)
    have_it = tl.sum(((expert[None, :, :] >> bit) & 1) << lane[None, :, :], axis=2)
    agree = have_it[:, :, None] ^ (((asked[None, None, :] >> bit) & 1) - 1)
    left = tl.minimum(tl.maximum(before[None, :] - 32 * word, 0), 32)
    counted = tl.where(left == 32, -1, (1 << (left & 31)) - 1)
    return tl.sum(ones(counted & tl.reduce(agree, 0, _both)).to(tl.int32), axis=0)


@triton.jit
def _replicas(logcnt, first, expert, S: tl.constexpr):
    """How many replicas experts have, and how many tokens they had before."""
    is_one = expert < S.experts
    replicas = index(tl.load(logcnt + expert, mask=is_one, other=1), S)
    before = replicas * 0
    if S.has_first:
        before = index(tl.load(first + expert, mask=is_one, other=0), S)
    return replicas, before


@triton.jit
def _slots(quota, log2phy, expert, replicas, before, number, S: tl.constexpr):
    """The slots of tokens that have so many of their expert before them, and -1 where there is no expert."""
    number = index(number, S)
    if S.by_quota:
        # Its replica is behind all those whose quotas are no more.
        replica, end = expert * 0, tl.minimum(tl.maximum(replicas - 1, 0), S.width).to(tl.int32)
        for _ in tl.static_range(S.steps):
            middle = (replica + end) >> 1
            goes_on = (expert < S.experts) & (replica < end)
            until = index(tl.load(quota + expert * S.width + middle, mask=goes_on, other=0), S)
            is_behind = goes_on & (until - before <= number)
            end = tl.where(is_behind, end, middle)
            replica = tl.where(is_behind, middle + 1, replica)
    else:
        replicas = tl.minimum(tl.maximum(replicas, 1), S.width)
        replica = (number + before) % replicas
        replica = tl.where(replica < 0, replica + replicas, replica).to(tl.int32)
    place = expert * S.width + replica
    return tl.load(log2phy + place, mask=place < S.experts * S.width, other=-1)


@triton.jit(do_not_specialize=["ids"])
def route_few(quota, log2phy, logcnt, first, experts, ids, slots, S: tl.constexpr):
    """The slots of a block, by a program that reads all tokens of its row."""
    row = tl.program_id(1).to(tl.int64)
    of_expert, of_slot = row * S.experts, row * (S.experts * S.width)
    experts += row * ids
    place = tl.program_id(0) * S.block + tl.arange(0, S.block)
    expert = _read(experts, place, ids, S)
    replicas, before = _replicas(logcnt + of_expert, first + of_expert, expert, S)
    number = _numbers(experts, 0, ids, expert, place, S)
    slot = _slots(quota + of_slot, log2phy + of_slot, expert, replicas, before, number, S)
    tl.store(slots + row * ids + place, slot, mask=place < ids)


@triton.jit
def _memory(scratch, S: tl.constexpr):
    """Where the counts of a row's blocks lie, and behind them the numbers of its tokens."""
    blocks = tl.num_programs(0)
    counts = scratch + tl.program_id(1).to(tl.int64) * (blocks * (S.experts2 + S.block))
    return counts, counts + blocks * S.experts2


@triton.jit(do_not_specialize=["ids"])
def count(experts, ids, scratch, S: tl.constexpr):
    """Write how many tokens each expert has in a block, and how many of its expert each token has before it there."""
    row, block = tl.program_id(1).to(tl.int64), tl.program_id(0)
    experts += row * ids
    counts, numbers = _memory(scratch, S)
    # First each expert is asked for, then that of each token.
    q = tl.arange(0, S.asked2)
    is_expert = q < S.experts2
    i = tl.where(is_expert, S.block, q - S.experts2)
    is_token = i < S.block
    place = tl.where(is_token, block * S.block + i, ids)
    asked = tl.where(is_expert, q, _read(experts, place, ids, S))
    number = _numbers(experts, block * S.block, ids, asked, i, S)
    tl.store(counts + block * S.experts2 + q, number, mask=is_expert)
    tl.store(numbers + place, number, mask=is_token)


@triton.jit(do_not_specialize=["ids"])
def route(quota, log2phy, logcnt, first, experts, ids, scratch, slots, S: tl.constexpr):
    """The slots of a block, given what was counted."""
    row, block = tl.program_id(1).to(tl.int64), tl.program_id(0)
    of_expert, of_slot = row * S.experts, row * (S.experts * S.width)
    counts, numbers = _memory(scratch, S)
    place = block * S.block + tl.arange(0, S.block)
    expert = _read(experts + row * ids, place, ids, S)
    number = tl.load(numbers + place).to(tl.int32)
    replicas, before = _replicas(logcnt + of_expert, first + of_expert, expert, S)
    # Four counts are a word, and so are the sums of so many.
    its = tl.minimum(expert, S.experts2 - 1)
    words = counts.to(tl.pointer_type(tl.int64)) + tl.arange(0, S.experts2 // 4)[None, :]
    for some in range(0, block, S.blocks):
        other = some + tl.arange(0, S.blocks)[:, None]
        counted = tl.sum(tl.load(words + other * (S.experts2 // 4), mask=other < block, other=0), axis=0)
        number += (tl.gather(counted, its >> 2, 0) >> ((its & 3) * 16).to(tl.int64)).to(tl.int32) & 0xFFFF
    slot = _slots(quota + of_slot, log2phy + of_slot, expert, replicas, before, number, S)
    tl.store(slots + row * ids + place, slot, mask=place < ids)
