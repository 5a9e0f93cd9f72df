"""The first kernel, a program for each row: from the loads to replicas that are packed once, if once is enough.

What needs no more than that gets its maps here too.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import INFINITE, bits_of, descending, float_of, index_in
from eplb_xp.backends.kernels.items import items, least_gain, read_table, store_items, store_packed
from eplb_xp.backends.kernels.loads import clean, factors, scaled
from eplb_xp.backends.kernels.maps import clear, write_maps
from eplb_xp.backends.kernels.nodes import experts_of_node, group_loads, split
from eplb_xp.backends.kernels.replication import spare_numbers, store_spares
from eplb_xp.backends.kernels.table import busiest, slot_sums

# `pipeline.IDLE_LOAD`.
IDLE = tl.constexpr(2.0**-80)


@triton.jit
def prepare(weight, row_stride, column_stride, phy2log, log2phy, logcnt, scratch, S: tl.constexpr):
    row = tl.program_id(0)
    layer = (row // S.rows).to(tl.int64)
    half = row % S.rows // S.nodes
    node = row % S.nodes
    own = scratch + row.to(tl.int64) * (S.parts * S.words)
    weight_at = weight + layer * row_stride
    if S.levels > 0:
        _clear_record(row, scratch, S)

    # Loads, and whose: those of the layer, or of a node's groups.
    every = tl.arange(0, S.experts2)
    layer_load = clean(tl.load(weight_at + every * column_stride, mask=every < S.experts, other=0))
    first, second = factors(float_of(tl.max(bits_of(layer_load), axis=0)))
    is_new = half == 0
    if S.groups > 1:
        group_load = group_loads(weight_at, column_stride, first, second, S)
        g = tl.arange(0, S.groups2)
        before = g
        attempt = half * 0
        while attempt <= half:
            before = tl.load(own + S.group_at + g, mask=g < S.groups, other=0)
            tl.debug_barrier()
            split(group_load, own, attempt * S.rounds, S)
            attempt += 1
        if S.halves == 2:
            after = tl.load(own + S.group_at + g, mask=g < S.groups, other=0)
            is_new = is_new | (tl.max((before != after).to(tl.int32), axis=0) > 0)
    if half == 0:
        clear(own + S.group_at, layer, node, log2phy, S)
    if is_new:
        expert = experts_of_node(own + S.group_at, node, S)
        e = tl.arange(0, S.node_experts2)
        load = tl.load(weight_at + expert * column_stride, mask=e < S.node_experts, other=0)
        share = _replicate(scaled(clean(load), first, second), own, S)
        _pack(share, own, S)
        if (not S.improves) & (not S.compares):
            tl.debug_barrier()
            write_maps(own, own + S.count_at, own, layer, node, phy2log, log2phy, logcnt, S)
    else:
        # The second split is the first: never the better one.
        tl.store(own + S.busiest_at, INFINITE)
    tl.store(own + S.is_new_at, is_new)


@triton.jit
def _clear_record(row, scratch, S: tl.constexpr):
    """Nothing is counted yet, and no finalist is better than what is placed before there are any."""
    rows = tl.num_programs(0).to(tl.int64)
    records = scratch + rows * (S.parts * S.words)
    word = tl.arange(0, S.record_words2)
    is_final = (word >= S.final_at) & (word < S.final_at + S.finalists)
    record = records + row.to(tl.int64) * S.record_words
    tl.store(record + word, tl.where(is_final, INFINITE, 0), mask=word < S.record_words)
    if row == 0:
        tl.store(records + rows * S.record_words, 0)


@triton.jit
def _replicate(load, own, S: tl.constexpr):
    """Write loads, counts and spares; what a replica of each expert has: [experts]."""
    e = tl.arange(0, S.node_experts2)
    there = e < S.node_experts
    loads_at = (own + S.load_at).to(tl.pointer_type(tl.float32), bitcast=True)
    tl.store(loads_at + e, load, mask=there)
    count = tl.full([S.node_experts2], S.fewest, tl.int32)
    if S.spares > 0:
        idle_load: tl.constexpr = IDLE if S.apart else 0.0
        wanted = tl.where(there & (load == 0.0), idle_load, load)
        number = spare_numbers(wanted, S.spares, S.fewest, S.most)
        count += number
        store_spares(
            loads_at,
            number,
            own + S.sorted_tag_at,
            own + S.spare_at,
            own + S.spare_rank_at,
            S.node_experts,
            S.spares,
            S.spares2,
            S.fewest,
            idle_load,
        )
    tl.store(own + S.count_at + e, count, mask=there)
    if S.levels > 0:
        order = index_in(tl.sort(descending(load, e)))
        tl.store(own + S.order_at + e, order, mask=there)
    if S.by_expert:
        for word in range(S.mask_words):
            tl.store(own + S.mask_at + word * S.node_experts + e, tl.zeros_like(e), mask=there)
    tl.debug_barrier()
    return tl.div_rn(load, count.to(tl.float32))


@triton.jit
def _pack(share, own, S: tl.constexpr):
    """Write the table of a packing, or the items where there are several."""
    if S.packed > 0:
        load, tag = items(own, own, S)
        if S.rounds + S.finish > 0:
            tl.store(own + S.gain_at, bits_of(least_gain(load, S)))
        if S.is_packed_once:
            store_packed(load, tag, load, own, own, S, False)
        else:
            store_items(load, tag, own, S)
    if S.compares & (not S.improves):
        number = tl.arange(0, S.columns2)
        total = tl.zeros([S.columns2], tl.float32)
        if S.packed > 0:
            table_load = read_table(own, S)[0]
            total = slot_sums(table_load, tl.arange(0, S.capacity2)[:, None], S.capacity)
        if S.everywhere:
            total = with_every_expert(total, share, S)
        tl.store(own + S.busiest_at, busiest(tl.where(number < S.gpus, total, 0.0)))
        tl.store(own + S.busiest_at + 1, 0)


@triton.jit
def with_every_expert(pack_load, share, S: tl.constexpr):
    """What GPUs have once each expert is added to them, one after the other."""
    e = tl.arange(0, S.node_experts2)
    for expert in range(S.node_experts):
        pack_load += float_of(tl.sum(tl.where(e == expert, bits_of(share), 0), axis=0))
    return pack_load
