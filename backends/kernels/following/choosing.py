"""The best of all steps, as `algorithms/following/choosing.py` chooses it.

A step is a key: its column (the expert of a rewriting, then the place of a copy, then that of a swap) times 32, and the
rank of our expert. So of equal ones the least key is the first.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of, float_of
from eplb_xp.backends.kernels.following.system import store_shares
from eplb_xp.backends.kernels.following.view import BEYOND, DOUBLED, expert_of, is_beyond, is_doubled, is_on
from eplb_xp.backends.kernels.rows import position

# `choosing.LEAST`.
LEAST = tl.constexpr(2.0**-20)


@triton.jit
def _factor(x):
    """1 + u: of a hash only the upper bits, which its last step leaves as they are."""
    x = x & 0x7FFFFFFF
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0x7FFFFFFF
    x = (x ^ (x >> 15)) * 0x2C1B3C6D
    return float_of(((x >> 8) & 0x7FF000) | 0x3F800000)


@triton.jit
def better(best, at, gain, factor, least, drawn, rank, S: tl.constexpr):
    """The best scores so far and the ranks they are of, with those of one rank more."""
    score = gain * factor
    if S.is_narrow:
        score = score * _factor(drawn)
    if S.is_even:
        is_better = (gain > least * (1.0 / S.gpus)) & (score > best)
    else:
        is_better = (gain * S.gpus > least) & (score > best)
    return tl.where(is_better, score, best), tl.where(is_better, rank, at)


@triton.jit
def most(score):
    """The bits of the highest score."""
    bits = bits_of(score)
    if len(score.shape) == 2:
        bits = tl.max(bits, axis=0)
    return tl.max(bits, axis=0)


@triton.jit
def first_key(score, at, column, top):
    """The least key of the steps with the highest score."""
    key = tl.where(bits_of(score) == top, column * 32 + at, HIGHEST)
    if len(score.shape) == 2:
        key = tl.min(key, axis=0)
    return tl.min(key, axis=0)


@triton.jit
def taken(key, gpu, listed, listed_tag, left, own, its, S: tl.constexpr):
    """Change the placing by a step: what is left of the budget, and the experts that left and came.

    All threads must have read what they need, and wait before they read again.
    """
    E: tl.constexpr = S.experts
    R: tl.constexpr = S.slots
    column, rank = key // 32, key % 32
    our_place = rank * S.gpus + gpu
    our_tag = tl.load(own + S.tag_at + our_place)
    comes = expert_of(our_tag)
    to = column
    if S.changes_counts:
        to = tl.where(column < E, our_place, (column - E) % R)
        comes = tl.where(column < E, column, comes)
    tag = tl.load(own + S.tag_at + to)
    leaves = expert_of(tag)
    leaf = position(to % S.gpus, S.gpus, S.gpu_levels)
    is_new = 1 - is_on(its + S.was_at, comes, leaf, key >= 0, S)
    left -= is_new - is_beyond(tag)
    new_tag = comes + is_new * BEYOND
    if S.changes_counts:
        if column >= E + R:
            left -= _swap(our_place, our_tag, gpu, to, tag, leaf, new_tag, own, its, S)
            place = tl.where(listed == our_place, to, tl.where(listed == to, our_place, listed))
            i = tl.arange(0, S.listed2)
            tl.store(own + S.list_at + i, place, mask=(i < S.listed) & (place != listed))
        else:
            _replace(to, leaves, comes, leaf, new_tag, is_doubled(tag), listed, listed_tag, own, its, S)
    else:
        left -= _swap(our_place, our_tag, gpu, to, tag, leaf, new_tag, own, its, S)
    if is_doubled(tag):
        _store_fewer(leaves, to, own, its, S)
    return left, leaves, comes


@triton.jit
def _swap(our_place, our_tag, gpu, to, tag, leaf, new_tag, own, its, S: tl.constexpr):
    """Two replicas swap places: what the one that comes to the busiest GPU costs."""
    ours, other = expert_of(our_tag), expert_of(tag)
    our_leaf = position(gpu, S.gpus, S.gpu_levels)
    is_new = 1 - is_on(its + S.was_at, other, our_leaf, leaf >= 0, S)
    our_share, share = tl.load(own + S.share_at + ours), tl.load(own + S.share_at + other)
    our_masks, other_masks = own + S.mask_at + ours * S.words, own + S.mask_at + other * S.words
    our_first, our_second = _moved(our_masks, our_leaf, leaf, is_doubled(our_tag))
    first, second = _moved(other_masks, leaf, our_leaf, is_doubled(tag))
    tl.debug_barrier()
    tl.store(our_masks + our_leaf // 32, our_first)
    tl.store(our_masks + leaf // 32, our_second)
    tl.store(other_masks + leaf // 32, first)
    tl.store(other_masks + our_leaf // 32, second)
    tl.store(own + S.tag_at + our_place, other + is_new * BEYOND)
    tl.store(own + S.tag_at + to, new_tag)
    tl.store(own + S.held_at + our_place, share)
    tl.store(own + S.held_at + to, our_share)
    if is_doubled(our_tag):
        _store_fewer(ours, our_place, own, its, S)
    return is_new - is_beyond(our_tag)


@triton.jit
def _moved(masks_at, leaf, to, stays):
    """The words of an expert's mask for two leaves, once it is on the second and, unless it stays, not on the first."""
    first, second = tl.load(masks_at + leaf // 32), tl.load(masks_at + to // 32)
    first = tl.where(stays, first, first & ~(1 << leaf % 32))
    is_same = leaf // 32 == to // 32
    second = tl.where(is_same, first, second) | (1 << to % 32)
    return tl.where(is_same, second, first), second


@triton.jit
def _replace(to, leaves, comes, leaf, new_tag, stays_on, listed, listed_tag, own, its, S: tl.constexpr):
    """A replica becomes one of another expert, and places are listed whose expert has others now."""
    rank, gpu = tl.arange(0, S.capacity2)[:, None], tl.arange(0, S.gpus2)[None, :]
    place = rank * S.gpus + gpu
    there = (rank < S.capacity) & (gpu < S.gpus)
    expert = expert_of(tl.load(own + S.tag_at + place, mask=there, other=0))
    s, i = tl.arange(0, S.spares2), tl.arange(0, S.listed2)
    spare = tl.load(own + S.spare_at + s, mask=s < S.spares, other=-1)
    one = tl.min(tl.where(spare == leaves, s, HIGHEST), axis=0)
    fewer, more = tl.load(own + S.count_at + leaves) - 1, tl.load(own + S.count_at + comes) + 1
    load, its_load = float_of(tl.load(its + S.load_at + leaves)), float_of(tl.load(its + S.load_at + comes))
    left_at = own + S.mask_at + leaves * S.words + leaf // 32
    came_at = own + S.mask_at + comes * S.words + leaf // 32
    left_mask, came_mask = tl.load(left_at), tl.load(came_at)
    tl.debug_barrier()
    tl.store(own + S.spare_at + one, comes)
    tl.store(left_at, tl.where(stays_on, left_mask, left_mask & ~(1 << leaf % 32)))
    tl.store(came_at, came_mask | (1 << leaf % 32))
    tl.store(own + S.count_at + leaves, fewer)
    tl.store(own + S.count_at + comes, more)
    store_shares(own, leaves, load, fewer, leaf >= 0, S)
    store_shares(own, comes, its_load, more, leaf >= 0, S)
    tl.store(own + S.tag_at + to, new_tag)
    expert = tl.where(place == to, comes, expert)
    is_listed = listed >= 0
    if fewer == 1:
        tl.store(own + S.list_at + i, -1, mask=is_listed & (expert_of(listed_tag) == leaves) & (listed != to))
    if more == 2:
        stays = is_listed & ((expert_of(listed_tag) != leaves) | (listed == to) | (fewer > 1))
        free = tl.min(tl.where(stays, HIGHEST, i), axis=0)
        alone = tl.where(there & (expert == comes) & (place != to), place, HIGHEST)
        alone = tl.min(tl.min(alone, axis=0), axis=0)
        tl.debug_barrier()
        tl.store(own + S.list_at + free, alone)
    share = tl.div_rn(load, fewer.to(tl.float32))
    its_share = tl.div_rn(its_load, more.to(tl.float32))
    tl.store(own + S.held_at + place, bits_of(share), mask=there & (expert == leaves))
    tl.store(own + S.held_at + place, bits_of(its_share), mask=there & (expert == comes))


@triton.jit
def _store_fewer(expert, place, own, its, S: tl.constexpr):
    """Write the tags of what a GPU still holds of an expert, of which one has left a place."""
    rank = tl.arange(0, S.capacity2)
    at = rank * S.gpus + place % S.gpus
    there = rank < S.capacity
    tag = tl.load(own + S.tag_at + at, mask=there, other=0)
    stays = there & (expert_of(tag) == expert) & (at != place)
    now = tl.sum(stays.to(tl.int32), axis=0)
    was = tl.load(its + S.before_at + at, mask=there, other=-1) == expert
    was = tl.sum(was.to(tl.int32), axis=0)
    tag = expert + tl.where(now > was, BEYOND, 0) + tl.where(now > 1, DOUBLED, 0)
    tl.store(own + S.tag_at + at, tag + rank * 0, mask=stays)
