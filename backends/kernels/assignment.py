"""The best start of a row, as `algorithms/assignment.py` finds it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, float_of
from eplb_xp.backends.kernels.improving.finishing import finished
from eplb_xp.backends.kernels.improving.parting import part
from eplb_xp.backends.kernels.improving.refinement import refine
from eplb_xp.backends.kernels.improving.table import busiest, read_table, slot_sums, store_table, store_tags
from eplb_xp.backends.kernels.packing.packed import store_packed, with_every_expert
from eplb_xp.backends.kernels.packing.starts import noisy


@triton.jit
def improved(load, tag, items_at, steps, S: tl.constexpr, finishes: tl.constexpr):
    """A table parted, swapped and, if it is, finished by at most so many steps; and the loads of its packs."""
    C: tl.constexpr = S.capacity
    P: tl.constexpr = S.gpus
    rank = tl.arange(0, S.capacity2)[:, None]
    if S.by_expert:
        load, tag = part(load, tag, slot_sums(load, rank, C), P, C)
    pack_load = slot_sums(load, rank, C)
    if S.rounds > 0:
        gain = float_of(tl.load(items_at + S.gain_at))
        load, tag, pack_load = refine(load, tag, pack_load, gain, S.rounds, P, C, S.lightest)
    if finishes:
        load, tag, pack_load = finished(load, tag, pack_load, items_at, steps, S)
    return load, tag, pack_load


@triton.jit
def improve_packed(own, S: tl.constexpr):
    """Improve the one packing that there is."""
    load, tag = read_table(own, S)
    load, tag, pack_load = improved(load, tag, own, S.finish, S, S.finish > 0)
    tl.debug_barrier()
    if S.everywhere & (S.halves == 2):
        pack_load = with_every_expert(pack_load, _share(own, S), S)
    store_table(load, tag, own, S)
    tl.store(own + S.busiest_at, _busiest(pack_load, S))
    tl.store(own + S.busiest_at + 1, 0)


@triton.jit
def best_start(first, row_at, own, S: tl.constexpr):
    """Pack and improve some starts of a row, and keep the best."""
    i = tl.arange(0, S.packed2)
    item_load = float_of(tl.load(row_at + S.item_load_at + i, mask=i < S.packed, other=0))
    best = HIGHEST
    best_start = 0  # not the first: Triton 3.6 takes two variables that begin with one value for one
    best_tag = tl.zeros([S.capacity2, S.columns2], tl.int32)
    best_pack_load = tl.zeros([S.columns2], tl.float32)
    start = first
    while start < S.starts:
        store_packed(item_load, i, noisy(item_load, start, S), row_at, own, S, True)
        load, tag = read_table(own, S)
        load, tag, pack_load = improved(load, tag, row_at, S.finish, S, S.finish > 0)
        high = _busiest(pack_load, S)
        if high < best:
            best, best_start, best_tag, best_pack_load = high, start, tag, pack_load
        tl.debug_barrier()
        start += S.parts
    if S.everywhere & (S.halves == 2):
        best = _busiest(with_every_expert(best_pack_load, _share(row_at, S), S), S)
    store_tags(best_tag, own, S)
    tl.store(own + S.busiest_at, best)
    tl.store(own + S.busiest_at + 1, best_start)


@triton.jit
def _share(row_at, S: tl.constexpr):
    """What a replica of each expert has: [experts]."""
    e = tl.arange(0, S.node_experts2)
    there = e < S.node_experts
    load = float_of(tl.load(row_at + S.load_at + e, mask=there, other=0))
    count = tl.load(row_at + S.count_at + e, mask=there, other=1)
    return tl.div_rn(load, count.to(tl.float32))


@triton.jit
def _busiest(pack_load, S: tl.constexpr):
    return busiest(tl.where(tl.arange(0, S.columns2) < S.gpus, pack_load, 0.0))


@triton.jit
def best_part(row, scratch, S: tl.constexpr):
    """The busiest pack of a row's best start, and which part of the row's memory it is in."""
    part_ = tl.arange(0, S.parts2)
    at = scratch + (row * S.parts + part_).to(tl.int64) * S.words + S.busiest_at
    there = part_ < S.parts
    high = tl.load(at, mask=there, other=HIGHEST)
    start = tl.load(at + 1, mask=there, other=HIGHEST)
    least = tl.min(high, axis=0)
    return least, tl.min(tl.where((high == least) & there, start, HIGHEST), axis=0) % S.parts
