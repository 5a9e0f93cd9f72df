"""Replicas as items, and the table that comes of packing them: `algorithms/packing/packed.py` for one row."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, descending, float_of, index_in, load_in
from eplb_xp.backends.kernels.improving.table import entry_of
from eplb_xp.backends.kernels.packing.heaviest_first import pack

# More than any expert or item.
SINGLE = tl.constexpr(4096)


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
def store_items(load, tag, items_at, S: tl.constexpr):
    """Write items, so that `store_packed` can look them up."""
    i = tl.arange(0, S.packed2)
    tl.store(items_at + S.item_load_at + i, bits_of(load), mask=i < S.packed)
    tl.store(items_at + S.item_tag_at + i, tag, mask=i < S.packed)
    tl.debug_barrier()


@triton.jit
def store_packed(load, tag, key, items_at, own, S: tl.constexpr, looks_up: tl.constexpr):
    """Pack items, those with the largest key first, and write the table of their loads and tags.

    In a single warp it takes fewer instructions to look the items up in memory than to exchange them. Four warps sort
    few items sooner than they merge them.
    """
    merges: tl.constexpr = S.sorts_apart and (looks_up or S.packed2 > 128)
    i = tl.arange(0, S.packed2)
    there = i < S.packed
    loads_at = (own + S.sorted_load_at).to(tl.pointer_type(tl.float32), bitcast=True)
    tags_at = own + S.sorted_tag_at
    if S.capacity > 1 and not merges:
        load, tag = _looked_up(load, tag, index_in(tl.sort(descending(key, i))), items_at, S, looks_up)
    if S.chooses:
        if merges:
            _store_merged(load, tag, key, items_at, own, S, looks_up)
        else:
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
def _looked_up(load, tag, order, items_at, S: tl.constexpr, looks_up: tl.constexpr):
    """Loads and tags of items in an order."""
    if looks_up:
        is_item = order < S.packed
        load = float_of(tl.load(items_at + S.item_load_at + order, mask=is_item, other=0))
        return load, tl.load(items_at + S.item_tag_at + order, mask=is_item, other=0)
    return tl.gather(load, order, 0), tl.gather(tag, order, 0)


@triton.jit
def _store_merged(load, tag, key, items_at, own, S: tl.constexpr, looks_up: tl.constexpr):
    """Write items with the largest key first: first replicas and others sorted by themselves, and merged.

    Together they are a power of two further, and sorting them so is twice the code and the time.
    """
    E: tl.constexpr = S.primary
    K: tl.constexpr = S.spares
    i = tl.arange(0, S.packed2)
    e = tl.arange(0, S.node_experts2)
    k = tl.arange(0, S.spares2)
    keys_at = own + S.slot_at
    tl.store(keys_at + i, bits_of(key), mask=i < S.packed)
    tl.debug_barrier()
    first = tl.sort(descending(float_of(tl.load(keys_at + e, mask=e < E, other=0)), e))
    other = tl.sort(descending(float_of(tl.load(keys_at + E + k, mask=k < K, other=0)), k))
    tl.debug_barrier()
    tl.store(keys_at + e, bits_of(load_in(first)), mask=e < E)
    tl.store(keys_at + E + k, bits_of(load_in(other)), mask=k < K)
    tl.debug_barrier()
    # Of equal ones the first replica comes first.
    place = e + _larger(keys_at + E, bits_of(load_in(first)), K, S.spares2)
    _store(place, e < E, load, tag, index_in(first), items_at, own, S, looks_up)
    place = k + _larger(keys_at, bits_of(load_in(other)) - 1, E, S.node_experts2)
    _store(place, k < K, load, tag, E + index_in(other), items_at, own, S, looks_up)


@triton.jit
def _larger(sorted_at, bits, N: tl.constexpr, N2: tl.constexpr):
    """How many of N sorted ones, the largest first, are larger than each."""
    number = bits * 0
    span = N2
    while span > 0:
        there = number + span <= N
        number += tl.where(tl.load(sorted_at + number + span - 1, mask=there, other=-1) > bits, span, 0)
        span = span // 2
    return number


@triton.jit
def _store(place, there, load, tag, order, items_at, own, S: tl.constexpr, looks_up: tl.constexpr):
    """Write items in an order to their places."""
    load, tag = _looked_up(load, tag, order, items_at, S, looks_up)
    tl.store(own + S.sorted_load_at + place, bits_of(load), mask=there)
    tl.store(own + S.sorted_tag_at + place, tag, mask=there)


@triton.jit
def with_every_expert(pack_load, share, S: tl.constexpr):
    """What GPUs have once each expert is added to them, one after the other."""
    e = tl.arange(0, S.node_experts2)
    for expert in range(S.node_experts):
        pack_load += float_of(entry_of(bits_of(share), e, expert))
    return pack_load
