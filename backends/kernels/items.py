"""Replicas as items: their loads and tags, the order that they are packed in, and the table that comes of it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, descending, float_of, index_in
from eplb_xp.backends.kernels.loads import tree_total
from eplb_xp.backends.kernels.packing import pack
from eplb_xp.backends.kernels.table import SINGLE, places


@triton.jit
def items(row_at, own, S: tl.constexpr):
    """The load and the tag of each item, from loads of the row, and spares and counts: [items]."""
    i = tl.arange(0, S.packed2)
    there = i < S.packed
    expert = i
    if S.spares > 0:
        is_spare = (i >= S.primary) & there
        expert = tl.where(is_spare, tl.load(own + S.spare_at + i - S.primary, mask=is_spare, other=0), i)
    load = float_of(tl.load(row_at + S.load_at + expert, mask=there, other=0))
    count = tl.load(own + S.count_at + expert, mask=there, other=1)
    share = tl.div_rn(load, count.to(tl.float32))
    if S.by_expert:
        return share, tl.where(count == 1, expert + SINGLE, expert)
    return share, i + SINGLE


@triton.jit
def least_gain(load, S: tl.constexpr):
    """The load, times the number of packs, that an improvement must bring."""
    return tree_total(load, S.packed, S.packed_levels) * S.threshold


@triton.jit
def _hash(x):
    x = x & 0x7FFFFFFF
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0x7FFFFFFF
    x = ((x ^ (x >> 15)) * 0x2C1B3C6D) & 0x7FFFFFFF
    return x ^ (x >> 16)


@triton.jit
def noisy(load, start, S: tl.constexpr):
    """What a start sorts by, as `algorithms/starts.py` has it."""
    item = tl.arange(0, S.packed2)
    of_start = _hash(_hash(start * 0 + S.seed) + start)
    u = _hash(of_start + item) >> 20
    noise = start * S.noise // max(S.starts - 1, 1)
    return load * (1.0 + (u * noise).to(tl.float32) * 2.0**-23)


@triton.jit
def store_items(load, tag, items_at, S: tl.constexpr):
    """Write items, so that `store_packed` can look them up."""
    i = tl.arange(0, S.packed2)
    tl.store(items_at + S.item_load_at + i, bits_of(load), mask=i < S.packed)
    tl.store(items_at + S.item_tag_at + i, tag, mask=i < S.packed)
    tl.debug_barrier()


@triton.jit
def store_packed(load, tag, key, items_at, own, S: tl.constexpr, looks_up: tl.constexpr):
    """Pack items, those with the largest key first, and write the table of their loads and tags.

    In a single warp it takes fewer instructions to look the items up in memory than to exchange them.
    """
    i = tl.arange(0, S.packed2)
    there = i < S.packed
    loads_at = (own + S.sorted_load_at).to(tl.pointer_type(tl.float32), bitcast=True)
    tags_at = own + S.sorted_tag_at
    if S.capacity > 1:
        order = index_in(tl.sort(descending(key, i)))
        if looks_up:
            is_item = order < S.packed
            load = float_of(tl.load(items_at + S.item_load_at + order, mask=is_item, other=0))
            tag = tl.load(items_at + S.item_tag_at + order, mask=is_item, other=0)
        else:
            load, tag = tl.gather(load, order, 0), tl.gather(tag, order, 0)
    if S.chooses:
        tl.store(loads_at + i, load, mask=there)
        tl.store(tags_at + i, tag, mask=there)
        tl.debug_barrier()
        pack(loads_at, own + S.slot_at, S.packed, S.packed2, S.gpus, S.gpus2, S.capacity)
        tl.debug_barrier()
        item = tl.load(own + S.slot_at + i, mask=there, other=0)
        load, tag = tl.load(loads_at + item), tl.load(tags_at + item)
        tl.debug_barrier()
    tl.store(own + S.slot_load_at + i, bits_of(load), mask=there)
    tl.store(own + S.slot_at + i, tag, mask=there)
    tl.debug_barrier()


@triton.jit
def read_table(own, S: tl.constexpr):
    """The loads and the tags in a table."""
    rank, gpu, place = places(S.capacity2, S.gpus, S.columns2)
    there = (rank < S.capacity) & (gpu < S.gpus)
    load = float_of(tl.load(own + S.slot_load_at + place, mask=there, other=0))
    return load, tl.load(own + S.slot_at + place, mask=there, other=-1)


@triton.jit
def store_tags(tag, own, S: tl.constexpr):
    """Write the tags of a table."""
    rank, gpu, place = places(S.capacity2, S.gpus, S.columns2)
    tl.store(own + S.slot_at + place, tag, mask=(rank < S.capacity) & (gpu < S.gpus))


@triton.jit
def store_table(load, tag, own, S: tl.constexpr):
    """Write the loads and the tags of a table."""
    rank, gpu, place = places(S.capacity2, S.gpus, S.columns2)
    tl.store(own + S.slot_load_at + place, bits_of(load), mask=(rank < S.capacity) & (gpu < S.gpus))
    store_tags(tag, own, S)
