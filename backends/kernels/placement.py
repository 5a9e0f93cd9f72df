"""Replicas of a row and their packing, as `algorithms/placement.py` has them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import descending, index_in
from eplb_xp.backends.kernels.counts.replication import store_spares
from eplb_xp.backends.kernels.counts.threshold import spare_numbers
from eplb_xp.backends.kernels.improving.finishing import store_total
from eplb_xp.backends.kernels.improving.table import busiest, read_table, slot_sums
from eplb_xp.backends.kernels.packing.packed import items, store_items, store_packed, with_every_expert
from eplb_xp.backends.kernels.rings.placing import store_on_ring

# `placement.IDLE_LOAD`.
IDLE = tl.constexpr(2.0**-80)


@triton.jit
def store_replicas(load, own, S: tl.constexpr):
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
def store_packing(share, own, S: tl.constexpr):
    """Write the table of a packing, or the items where there are several."""
    if S.ring:
        store_on_ring(own, S)
    elif S.packed > 0:
        load, tag = items(own, own, S)
        if S.rounds + S.finish + S.levels > 0:
            store_total(load, own, S)
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
