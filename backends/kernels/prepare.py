"""The first kernel, a program for each row: from the loads to replicas that are packed once, if once is enough.

What needs no more than that gets its maps here too.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import INFINITE, bits_of, float_of
from eplb_xp.backends.kernels.maps import clear, write_maps
from eplb_xp.backends.kernels.nodes import experts_of_node, group_loads, split
from eplb_xp.backends.kernels.placement import store_packing, store_replicas
from eplb_xp.backends.kernels.scaling import clean, factors, scaled


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
        share = store_replicas(scaled(clean(load), first, second), own, S)
        store_packing(share, own, S)
        if (not S.improves) & (not S.compares):
            tl.debug_barrier()
            write_maps(own, own + S.count_at, own, layer, node, phy2log, log2phy, logcnt, S)
    else:
        # The second split is the first: never the better one.
        tl.store(own + S.busiest_at, INFINITE)
    tl.store(own + S.is_new_at, is_new)


@triton.jit
def _clear_record(row, scratch, S: tl.constexpr):
    """Nothing is counted yet, and no candidate is better than what is placed without any."""
    rows = tl.num_programs(0).to(tl.int64)
    records = scratch + rows * (S.parts * S.words)
    word = tl.arange(0, S.record_words2)
    is_high = ((word >= S.refined_at) & (word < S.refined_at + S.refined)) | (word == S.best_at)
    record = records + row.to(tl.int64) * S.record_words
    tl.store(record + word, tl.where(is_high, INFINITE, 0), mask=word < S.record_words)
    if row == 0:
        tl.store(records + rows * S.record_words, 0)
        tl.store(scratch + S.rows_at, tl.num_programs(0))
