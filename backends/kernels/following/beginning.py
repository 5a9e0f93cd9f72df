"""Where a search begins, as `algorithms/following/beginning.py` begins it: one program for each layer."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.following.cleaning import kept
from eplb_xp.backends.kernels.following.filling import filled, with_missing
from eplb_xp.backends.kernels.following.system import gpu_loads, store_shares
from eplb_xp.backends.kernels.following.turns import store_lowest
from eplb_xp.backends.kernels.following.view import BEYOND, DOUBLED
from eplb_xp.backends.kernels.rows import position
from eplb_xp.backends.kernels.scaling import clean, factors, scaled


@triton.jit
def begin(previous_ptr, budget_ptr, weight_ptr, row_stride, column_stride, layers_at, S: tl.constexpr):
    """What is the same for all paths of a layer, and the placing that they start from."""
    E: tl.constexpr = S.experts
    layer = tl.program_id(0).to(tl.int64)
    its = layers_at + layer * S.layer_words
    own = its + S.begun_at
    e, slot = tl.arange(0, S.experts2), tl.arange(0, S.slots2)
    real = slot < S.slots
    weight = tl.load(weight_ptr + layer * row_stride + e * column_stride, mask=e < E, other=0)
    previous = tl.load(previous_ptr + layer * S.slots + slot, mask=real, other=0).to(tl.int64)
    budget = tl.load(budget_ptr + layer).to(tl.int32)
    load = clean(weight)
    first, second = factors(float_of(tl.max(bits_of(load), axis=0)))
    load = scaled(load, first, second)
    tl.store(its + S.load_at + e, bits_of(load), mask=e < E)

    expert = kept(previous, slot, real, its, S)
    _store_counts(expert, own, S)
    expert = with_missing(expert, load, its, S)
    expert, before, spent = filled(expert, load, budget, its, S)
    tl.store(its + S.left_at, budget - spent)
    store_lowest(load, its, S)
    _store_placing(expert, before, load, its, S)


@triton.jit
def _store_counts(expert, own, S: tl.constexpr):
    """Write how many replicas each expert has."""
    e = tl.arange(0, S.experts2)
    tl.store(own + S.count_at + e, 0, mask=e < S.experts)
    tl.debug_barrier()
    tl.atomic_add(own + S.count_at + expert, 1, mask=expert < S.experts, sem="relaxed")
    tl.debug_barrier()


@triton.jit
def _store_placing(expert, before, load, its, S: tl.constexpr):
    """Write slots that all hold an expert as a placing, and what was in them before."""
    E: tl.constexpr = S.experts
    own = its + S.begun_at
    e, slot = tl.arange(0, S.experts2), tl.arange(0, S.slots2)
    real = slot < S.slots
    gpu = slot // S.capacity
    place = slot % S.capacity * S.gpus + gpu
    tl.store(own + S.tag_at + place, expert, mask=real)
    tl.store(its + S.before_at + place, tl.where(before < E, before, -1), mask=real)
    tl.debug_barrier()
    count = tl.load(own + S.count_at + e, mask=e < E, other=1)
    store_shares(own, e, load, count, e < E, S)
    _store_masks(expert, own + S.mask_at, real, S)
    _store_masks(before, its + S.was_at, real & (before < E), S)

    # How often a GPU holds the expert of each slot, and held it.
    now, was = slot * 0, slot * 0
    for rank in range(S.capacity):
        at = rank * S.gpus + gpu
        now += (tl.load(own + S.tag_at + at, mask=real, other=-1) == expert).to(tl.int32)
        was += (tl.load(its + S.before_at + at, mask=real, other=-1) == expert).to(tl.int32)
    tl.store(own + S.held_at + place, tl.load(own + S.share_at + expert, mask=real, other=0), mask=real)
    tl.debug_barrier()
    tag = expert + tl.where(now > was, BEYOND, 0) + tl.where(now > 1, DOUBLED, 0)
    tl.store(own + S.tag_at + place, tag, mask=real)
    tl.store(its + S.first_at, tl.max(bits_of(gpu_loads(own + S.held_at, S)), axis=0))
    if S.changes_counts:
        several = real & (tl.load(own + S.count_at + expert, mask=real, other=0) > 1)
        number = tl.cumsum(several.to(tl.int32), 0)
        tl.store(own + S.list_at + number - 1, place, mask=several)
        found = tl.sum(several.to(tl.int32), axis=0)
        tl.store(own + S.list_at + slot, -1, mask=(slot >= found) & (slot < S.listed))
        _store_spares(e, count - 1, own, S)


@triton.jit
def _store_masks(expert, masks_at, there, S: tl.constexpr):
    """Write on which GPUs experts are, given the expert of each slot: a bit for each leaf of a sum over GPUs."""
    e, slot = tl.arange(0, S.experts2), tl.arange(0, S.slots2)
    for word in tl.static_range(S.words):
        tl.store(masks_at + e * S.words + word, 0, mask=e < S.experts)
    tl.debug_barrier()
    leaf = position(slot // S.capacity, S.gpus, S.gpu_levels)
    tl.atomic_or(masks_at + expert * S.words + leaf // 32, (leaf * 0 + 1) << leaf % 32, mask=there, sem="relaxed")
    tl.debug_barrier()


@triton.jit
def _store_spares(e, number, own, S: tl.constexpr):
    """Write the expert of every replica that is not its first, given how many of them each has."""
    number = tl.where(e < S.experts, number, 0)
    end = tl.cumsum(number, 0)
    most = tl.max(number, axis=0)
    for i in range(most):
        tl.store(own + S.spare_at + end - number + i, e, mask=i < number)
