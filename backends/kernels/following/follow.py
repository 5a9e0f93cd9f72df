"""The best of all paths, where it gains enough, as `algorithms/following/follow.py` has it: a program a layer."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.following.system import gpu_loads
from eplb_xp.backends.kernels.following.turns import lowest_of
from eplb_xp.backends.kernels.following.view import expert_of
from eplb_xp.backends.kernels.maps import by_expert
from eplb_xp.backends.kernels.moving.keeping import keep_slots


@triton.jit
def follow(min_gain_ptr, layers_at, wide_at, narrow_at, plans_at, phy2log, log2phy, logcnt, S: tl.constexpr):
    layer = tl.program_id(0).to(tl.int64)
    its = layers_at + layer * S.layer_words
    own = plans_at + layer * S.plan_words
    start = its + S.begun_at + S.tag_at
    wide, narrow = wide_at + layer * (S.wide * S.path_words), narrow_at + layer * (S.narrow * S.path_words)
    low, path = lowest_of(wide, S.wide, S)
    low_narrow, narrow_path = lowest_of(narrow, S.narrow, S)
    first = tl.load(its + S.first_at)
    best = wide + path * S.path_words + S.best_at
    if low_narrow < low:
        best = narrow + narrow_path * S.path_words + S.best_at
    if tl.minimum(low, low_narrow) >= first:
        best = start

    rank, gpu = tl.arange(0, S.capacity2)[:, None], tl.arange(0, S.gpus2)[None, :]
    place = rank * S.gpus + gpu
    there = (rank < S.capacity) & (gpu < S.gpus)
    expert = keep_slots(best, its + S.before_at, own + S.want_at, S)
    _store_counts(expert, there, own, S)
    count = tl.load(own + S.count_at + expert, mask=there, other=1)
    load = float_of(tl.load(its + S.load_at + expert, mask=there, other=0))
    tl.store(own + S.held_at + place, bits_of(tl.div_rn(load, count.to(tl.float32))), mask=there)
    tl.debug_barrier()
    busiest = tl.max(bits_of(gpu_loads(own + S.held_at, S)), axis=0)
    gain = float_of(first) - float_of(busiest)
    if not ((gain > 0.0) & (gain >= tl.load(min_gain_ptr + layer) * float_of(first))):
        expert = expert_of(tl.load(start + place, mask=there, other=0))
        _store_counts(expert, there, own, S)
    tl.store(own + S.tag_at + gpu * S.capacity + rank, expert, mask=there)
    tl.debug_barrier()
    _write_maps(layer, own, phy2log, log2phy, logcnt, S)


@triton.jit
def _store_counts(expert, there, own, S: tl.constexpr):
    """Write how many replicas each expert has, given the expert in each place."""
    e = tl.arange(0, S.experts2)
    tl.debug_barrier()
    tl.store(own + S.count_at + e, 0, mask=e < S.experts)
    tl.debug_barrier()
    tl.atomic_add(own + S.count_at + expert, 1, mask=there, sem="relaxed")
    tl.debug_barrier()


@triton.jit
def _write_maps(layer, own, phy2log, log2phy, logcnt, S: tl.constexpr):
    """Write the maps of a layer, given the expert of each slot, by counts."""
    E: tl.constexpr = S.experts
    X: tl.constexpr = S.width
    BLOCK: tl.constexpr = 1024
    to_at = log2phy + layer * (E * X)
    for begin in range(0, E * X, BLOCK):
        entry = begin + tl.arange(0, BLOCK)
        tl.store(to_at + entry, tl.full([BLOCK], -1, log2phy.dtype.element_ty), mask=entry < E * X)
    e, slot = tl.arange(0, S.experts2), tl.arange(0, S.slots2)
    real = slot < S.slots
    count = tl.load(own + S.count_at + e, mask=e < E, other=0)
    tl.store(logcnt + layer * E + e, count, mask=e < E)
    expert = tl.load(own + S.tag_at + slot, mask=real, other=0)
    tl.store(phy2log + layer * S.slots + slot, expert, mask=real)
    expert, in_order, rank = by_expert(expert, slot, real, count, E, S.slots2)
    tl.debug_barrier()
    tl.store(to_at + expert * X + rank, in_order, mask=real & (rank < X))
