"""Steps that take load from the busiest GPU, as `algorithms/following/steps.py` has them, and the best for each place.

Of each expert that may come to the busiest GPU, or place that a step changes beside it, that is a score and the rank of
our expert, the first of equal ones.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.following.choosing import better
from eplb_xp.backends.kernels.following.view import (
    expert_of,
    factor_at,
    is_beyond,
    is_doubled,
    is_on,
)
from eplb_xp.backends.kernels.rows import column_tree_sums, position, tree_sum


@triton.jit
def _paid_in(word: tl.constexpr, expert, more, there, own, S: tl.constexpr):
    """What 32 leaves have more above the target where each holder of experts gets so much on top: [32, experts]."""
    excess = float_of(tl.load(own + S.excess_at + word * 32 + tl.arange(0, 32)))[:, None]
    mask = tl.load(own + S.mask_at + expert * S.words + word, mask=there, other=0)
    holds = ((mask[None, :] >> tl.arange(0, 32)[:, None]) & 1) > 0
    return tl.where(holds, tl.maximum(excess + more[None, :], 0.0) - tl.maximum(excess, 0.0), 0.0)


@triton.jit
def store_paid(experts_at, number, own, S: tl.constexpr):
    """Write what holders of so many experts have more above the target once those have one replica fewer."""
    for begin in range(0, number, S.block):
        i = begin + tl.arange(0, S.block)
        there = i < number
        expert = tl.load(experts_at + i, mask=there, other=0)
        more = float_of(tl.load(own + S.more_at + expert, mask=there, other=0))
        paid = _paid_in(0, expert, more, there, own, S)
        if S.words == 2:
            paid += _paid_in(1, expert, more, there, own, S)
        if S.words == 4:
            paid += _paid_in(2, expert, more, there, own, S)
            paid += _paid_in(1, expert, more, there, own, S) + _paid_in(3, expert, more, there, own, S)
        tl.store(own + S.paid_at + expert, bits_of(column_tree_sums(paid, S.block, 5)), mask=there)


@triton.jit
def changed(is_new, leaf, one, other, own, S: tl.constexpr):
    """Write which experts have holders with another load than before, or are one of two; and how many these are."""
    i = tl.arange(0, S.spares2)
    there = i < S.spares
    expert = tl.load(own + S.spare_at + i, mask=there, other=0)
    found = (expert == one) | (expert == other)
    for word in tl.static_range(S.words):
        news = tl.sum(tl.where(is_new & (leaf // 32 == word), 1 << leaf % 32, 0), axis=0)
        found = found | ((tl.load(own + S.mask_at + expert * S.words + word, mask=there, other=0) & news) != 0)
    found = (found & there).to(tl.int32)
    tl.store(own + S.todo_at + tl.cumsum(found, 0) - 1, expert, mask=found > 0)
    return tl.sum(found, axis=0)


@triton.jit
def rewriting(gpu, excess, several, free, dear, least, drawn, own, its, S: tl.constexpr):
    """A slot of the busiest GPU is given to another expert; also writes the relief of our experts that have others."""
    E: tl.constexpr = S.experts
    e, leaves = tl.arange(0, S.experts2), tl.arange(0, S.gpus2)
    real = e < E
    score, at = e.to(tl.float32) * 0.0, e * 0
    if several != 0:
        leaf = position(gpu, S.gpus, S.gpu_levels)
        less = float_of(tl.load(own + S.less_at + e, mask=real, other=0))
        may = real & (is_on(own + S.mask_at, e, leaf, real, S) == 0)
        if S.is_capped:
            may = may & (tl.load(own + S.count_at + e, mask=real, other=0) < S.most)
        if S.nodes > 1:
            may = may & (tl.load(its + S.node_at + e, mask=real, other=-1) == gpu // S.gpus_of_node)
        was = is_on(its + S.was_at, e, leaf, real, S)
        factors = tl.where(may, tl.where(was > 0, free, dear), 0)
        each = float_of(tl.load(own + S.excess_at + leaves))
        over = tl.maximum(each, 0.0)
        for rank in range(S.capacity):
            if ((several >> rank) & 1) != 0:
                tag = tl.load(own + S.tag_at + rank * S.gpus + gpu)
                ours = expert_of(tag)
                share = float_of(tl.load(own + S.share_at + ours))
                more = float_of(tl.load(own + S.more_at + ours))
                its_less = float_of(tl.load(own + S.less_at + ours))
                mask = tl.load(own + S.mask_at + ours * S.words + leaves // 32)
                holds = ((mask >> leaves % 32) & 1) > 0
                relief = tl.where(holds, over - tl.maximum(each - (share - its_less), 0.0), 0.0)
                paid = tl.where(holds & (leaves != leaf), tl.maximum(each + more, 0.0) - over, 0.0)
                tl.store(own + S.relief_at + rank, bits_of(tree_sum(relief, S.leaf_levels)))
                left = (excess - share) + tl.where(is_doubled(tag), more, 0.0)
                gain = (excess - tree_sum(paid, S.leaf_levels)) - tl.maximum(left + less, 0.0)
                factor = factor_at(factors, (1 - is_beyond(tag)) * 8)
                score, at = better(score, at, gain, factor, least, drawn + rank * E + e, rank, S)
    return score, at


@triton.jit
def copying(free, dear, least, drawn, own, S: tl.constexpr):
    """An expert of the busiest GPU gets one replica more, in a place whose expert has others: for those listed.

    Also the places and their tags.
    """
    R: tl.constexpr = S.slots
    i = tl.arange(0, S.listed2)
    place = tl.load(own + S.list_at + i, mask=i < S.listed, other=-1)
    there = place >= 0
    gpu = place % S.gpus
    tag = tl.load(own + S.tag_at + place, mask=there, other=0)
    expert = expert_of(tag)
    leaf = position(tl.where(there, gpu, 0), S.gpus, S.gpu_levels)
    excess = float_of(tl.load(own + S.excess_at + leaf, mask=there, other=0))
    share = float_of(tl.load(own + S.held_at + place, mask=there, other=0))
    more = float_of(tl.load(own + S.more_at + expert, mask=there, other=0))
    paid = float_of(tl.load(own + S.paid_at + expert, mask=there, other=0)) - tl.maximum(excess + more, 0.0)
    left = (excess - share) + tl.where(is_doubled(tag), more, 0.0)
    factors = tl.where(there, tl.where(is_beyond(tag) > 0, free, dear), 0)
    score, at = share * 0.0, i * 0
    # Of the next rank in advance.
    next_less, next_relief = tl.load(own + S.our_less_at), tl.load(own + S.relief_at)
    next_code = tl.load(own + S.code_at + gpu, mask=there, other=0)
    for rank in range(S.capacity):
        less, relief, shift = float_of(next_less), float_of(next_relief), next_code >> 8
        next_rank = tl.minimum(rank + 1, S.capacity - 1)
        next_less, next_relief = tl.load(own + S.our_less_at + next_rank), tl.load(own + S.relief_at + next_rank)
        next_code = tl.load(own + S.code_at + next_rank * S.gpus + gpu, mask=there, other=0)
        gain = (relief - paid) - tl.maximum(left + less, 0.0)
        score, at = better(score, at, gain, factor_at(factors, shift), least, drawn + rank * R + place, rank, S)
    return place, tag, score, at


@triton.jit
def _places_of_ranks(first: tl.constexpr, ROWS: tl.constexpr, leaf, back, free, dear, own, its, S: tl.constexpr):
    """Of so many ranks of all GPUs: the places, the shares there, and what swaps with them are multiplied by."""
    rank, gpu = tl.arange(0, ROWS)[:, None] + first, tl.arange(0, S.gpus2)[None, :]
    place = rank * S.gpus + gpu
    there = (rank < S.capacity) & (gpu < S.gpus)
    tag = tl.load(own + S.tag_at + place, mask=there, other=0)
    share = float_of(tl.load(own + S.held_at + place, mask=there, other=0))
    expert = expert_of(tag)
    may = there & (is_on(own + S.mask_at, expert, leaf, there, S) == 0)
    if S.keeps_links:
        may = may & (tl.load(own + S.count_at + expert, mask=there, other=0) == 1)
    cost = 1 - is_on(its + S.was_at, expert, leaf, there, S) - is_beyond(tag)
    factors = tl.where(cost == 1, dear, tl.where(cost == 0, free, back))
    return place, share, tl.where(may, factors, 0)


@triton.jit
def _best_swap(best, at, rank, ours, shift, place, share, factors, each, excess, both, least, drawn, S: tl.constexpr):
    """Swaps of one of our experts with those in places, where they are better."""
    less = ours - share
    after = tl.maximum(excess - less, 0.0) + tl.maximum(each[None, :] + less, 0.0)
    gain = both[None, :] - after
    return better(best, at, gain, factor_at(factors, shift), least, drawn + place, rank, S)


@triton.jit
def swapping(gpu, excess, each, over, back, free, dear, least, drawn, own, its, S: tl.constexpr):
    """An expert of the busiest GPU and one of another swap places: of two parts of the ranks, or twice of the first."""
    other = tl.arange(0, S.gpus2)[None, :]
    leaf = position(gpu, S.gpus, S.gpu_levels)
    both = excess + over
    place_a, share_a, factors_a = _places_of_ranks(0, S.rows_a, leaf, back, free, dear, own, its, S)
    score_a, at_a = share_a * 0.0, place_a * 0
    place_b, share_b, factors_b, score_b, at_b = place_a, share_a, factors_a, score_a, at_a
    if S.rows_b > 0:
        place_b, share_b, factors_b = _places_of_ranks(S.rows_a, S.rows_b, leaf, back, free, dear, own, its, S)
        score_b, at_b = share_b * 0.0, place_b * 0
    # Of the next rank in advance.
    next_share = tl.load(own + S.held_at + gpu)
    next_code = tl.load(own + S.code_at + other, mask=other < S.gpus, other=0)
    for rank in range(S.capacity):
        ours, shift = float_of(next_share), next_code & 31
        next_rank = tl.minimum(rank + 1, S.capacity - 1)
        next_share = tl.load(own + S.held_at + next_rank * S.gpus + gpu)
        next_code = tl.load(own + S.code_at + next_rank * S.gpus + other, mask=other < S.gpus, other=0)
        its_drawn = drawn + rank * S.slots
        score_a, at_a = _best_swap(
            score_a, at_a, rank, ours, shift, place_a, share_a, factors_a, each, excess, both, least, its_drawn, S
        )
        if S.rows_b > 0:
            score_b, at_b = _best_swap(
                score_b, at_b, rank, ours, shift, place_b, share_b, factors_b, each, excess, both, least, its_drawn, S
            )
    if S.rows_b == 0:
        score_b, at_b = score_a, at_a
    return place_a, score_a, at_a, place_b, score_b, at_b
