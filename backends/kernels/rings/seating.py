"""A slot for every replica, as `algorithms/rings/seating.py` finds it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of, descending, float_of, index_in
from eplb_xp.backends.kernels.packing.heaviest_first import key_of
from eplb_xp.backends.kernels.packing.packed import items, store_items
from eplb_xp.backends.kernels.rings.layout import wishes


@triton.jit
def _larger(x, y):
    return tl.maximum(x, y)


@triton.jit
def _seat_wanted(own, S: tl.constexpr):
    """Give the first that are wanted on each GPU its slots."""
    key = wishes(own, S)
    i = tl.arange(0, 2 * S.spares2)
    gpu, item = key >> 12, key & 0xFFF
    before = tl.gather(key, tl.maximum(i - 1, 0), 0) >> 12
    rank = i - tl.associative_scan(tl.where(gpu == before, 0, i), 0, _larger)
    fits = (key != HIGHEST) & (rank < S.capacity)
    place = rank * S.gpus + gpu
    load = tl.load(own + S.item_load_at + item, mask=fits, other=0)
    tag = tl.load(own + S.item_tag_at + item, mask=fits, other=0)
    tl.store(own + S.slot_load_at + place, load, mask=fits)
    tl.store(own + S.slot_at + place, tag, mask=fits)
    tl.store(own + S.seated_at + item, tl.full([2 * S.spares2], 1, tl.int32), mask=fits)


@triton.jit
def _sort_loose(own, S: tl.constexpr):
    """Write those without a slot, heaviest first."""
    i = tl.arange(0, S.loose2)
    there = i < S.loose
    has_slot = tl.load(own + S.seated_at + i, mask=there, other=1) != 0
    load = float_of(tl.load(own + S.item_load_at + i, mask=there, other=0))
    order = index_in(tl.sort(tl.where(has_slot, 0x7FFFFFFFFFFFFFFF, descending(load, i))))
    is_loose = order >= 0
    load = tl.load(own + S.item_load_at + order, mask=is_loose, other=0)
    tag = tl.load(own + S.item_tag_at + order, mask=is_loose, other=0)
    tl.store(own + S.sorted_load_at + i, load, mask=is_loose)
    tl.store(own + S.sorted_tag_at + i, tag, mask=is_loose)


@triton.jit
def _seat_loose(own, S: tl.constexpr):
    """Give them the slots that are left, in each round one for each GPU that has any, lightest first."""
    P: tl.constexpr = S.gpus
    C: tl.constexpr = S.capacity
    gpu = tl.arange(0, S.gpus2)
    total = tl.zeros([S.gpus2], tl.float32)
    used = gpu * 0
    for rank in range(S.wanting):
        is_used = tl.load(own + S.slot_at + rank * P + gpu, mask=gpu < P, other=-1) >= 0
        load = float_of(tl.load(own + S.slot_load_at + rank * P + gpu, mask=gpu < P, other=0))
        total += tl.where(is_used, load, 0.0)
        used += is_used.to(tl.int32)
    # Before the first of them is written where others still read.
    tl.debug_barrier()
    bits = tl.where((gpu < P) & (used < C), bits_of(total), HIGHEST)
    number = tl.sum((bits != HIGHEST).to(tl.int32), axis=0)
    placed = number * 0
    key = tl.sort(key_of(bits, gpu, used))
    while number > 0:
        bits, used, which = (key >> 32).to(tl.int32), (key & 0xFFF).to(tl.int32), (key >> 12 & 0xFFF).to(tl.int32)
        is_open = bits != HIGHEST
        load_bits = tl.load(own + S.sorted_load_at + placed + gpu, mask=is_open, other=0)
        tag = tl.load(own + S.sorted_tag_at + placed + gpu, mask=is_open, other=0)
        tl.store(own + S.slot_load_at + used * P + which, load_bits, mask=is_open)
        tl.store(own + S.slot_at + used * P + which, tag, mask=is_open)
        bits = tl.where(is_open & (used + 1 < C), bits_of(float_of(bits) + float_of(load_bits)), HIGHEST)
        key = tl.sort(key_of(bits, which, used + 1))
        placed += number
        number = tl.sum((bits != HIGHEST).to(tl.int32), axis=0)


@triton.jit
def store_seated(own, S: tl.constexpr):
    """Write the table of loads and tags."""
    i = tl.arange(0, S.slots2)
    tl.store(own + S.slot_at + i, tl.full([S.slots2], -1, tl.int32), mask=i < S.wanting * S.gpus)
    tl.store(own + S.seated_at + i, i * 0, mask=i < S.slots)
    load, tag = items(own, own, S)
    store_items(load, tag, own, S)
    if S.spares > 0:
        _seat_wanted(own, S)
        tl.debug_barrier()
    _sort_loose(own, S)
    tl.debug_barrier()
    _seat_loose(own, S)
