"""Candidates for rows that are not close to a bound, as `algorithms/joint.py` tries them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.assignment import best_part
from eplb_xp.backends.kernels.bits import HIGHEST, INFINITE, bits_of, float_of
from eplb_xp.backends.kernels.counts.levels import store_candidate
from eplb_xp.backends.kernels.improving.exchanges import exchange
from eplb_xp.backends.kernels.improving.parting import part
from eplb_xp.backends.kernels.improving.refinement import refine, wanted_gain
from eplb_xp.backends.kernels.improving.table import busiest, read_table, slot_sums, store_table
from eplb_xp.backends.kernels.packing.packed import items, store_items, store_packed
from eplb_xp.backends.kernels.rows import tree_total
from eplb_xp.backends.kernels.waiting import signal, wait


@triton.jit
def pack_candidate(row, candidate, scratch, records, tries, S: tl.constexpr):
    row_at = scratch + row.to(tl.int64) * (S.parts * S.words)
    record = records + row.to(tl.int64) * S.record_words
    own = tries + (row * S.candidates + candidate).to(tl.int64) * S.words
    e = tl.arange(0, S.node_experts2)
    load = float_of(tl.load(row_at + S.load_at + e, mask=e < S.node_experts, other=0))
    count = tl.load(row_at + S.count_at + e, mask=e < S.node_experts, other=1)
    total = tree_total(load, S.node_experts, S.expert_levels)
    high_bits = best_part(row, scratch, S)[0]
    high = float_of(high_bits)
    largest = float_of(tl.max(bits_of(tl.div_rn(load, count.to(tl.float32))), axis=0))
    if (high_bits < INFINITE) & (high > largest * S.close) & (high * S.gpus > total * S.close):
        is_new = store_candidate(candidate, load, total, own, row_at, S)
        item_load, item_tag = items(row_at, own, S)
        tl.store(own + S.gain_at, bits_of(wanted_gain(item_load, S)))
        store_items(item_load, item_tag, own, S)
        store_packed(item_load, item_tag, item_load, own, own, S, True)
        table_load = read_table(own, S)[0]
        packed = busiest(slot_sums(table_load, tl.arange(0, S.capacity2)[:, None], S.capacity))
        tl.store(record + S.tried_at + candidate, tl.where(is_new, packed, INFINITE))
        tl.store(record + 3, 1)
    signal(record)


@triton.jit
def _ranked(at, number, NUMBER: tl.constexpr, NUMBER2: tl.constexpr):
    """Of so many busiest packs, which is the lightest but `number`, the first of equal ones."""
    i = tl.arange(0, NUMBER2)
    high = tl.load(at + i, mask=i < NUMBER, other=HIGHEST)
    key = tl.sort((high.to(tl.int64) << 32) | i.to(tl.int64))
    return tl.sum(tl.where(i == number, (key & 0xFFFFFFFF).to(tl.int32), 0), axis=0)


@triton.jit
def refine_candidate(row, number, records, tries, S: tl.constexpr):
    record = records + row.to(tl.int64) * S.record_words
    wait(record, S.candidates)
    if tl.load(record + 3) == 1:
        candidate = _ranked(record + S.tried_at, number, S.candidates, S.candidates2)
        own = tries + (row * S.candidates + candidate).to(tl.int64) * S.words
        load, tag = read_table(own, S)
        gain = float_of(tl.load(own + S.gain_at))
        rank = tl.arange(0, S.capacity2)[:, None]
        load, tag = part(load, tag, slot_sums(load, rank, S.capacity), S.gpus, S.capacity)
        pack_load = slot_sums(load, rank, S.capacity)
        load, tag, pack_load = refine(load, tag, pack_load, gain, S.rounds + S.finish, S.gpus, S.capacity, S.lightest)
        tl.debug_barrier()
        store_table(load, tag, own, S)
        tl.store(record + S.refined_at + number, busiest(pack_load))
        tl.store(record + S.refined_at + S.refined + number, candidate)
    signal(record + 1)


@triton.jit
def finish_candidate(row, number, records, tries, S: tl.constexpr):
    record = records + row.to(tl.int64) * S.record_words
    wait(record + 1, S.refined)
    if tl.load(record + 3) == 1:
        refined = _ranked(record + S.refined_at, number, S.refined, S.refined2)
        candidate = tl.load(record + S.refined_at + S.refined + refined)
        own = tries + (row * S.candidates + candidate).to(tl.int64) * S.words
        load, tag = read_table(own, S)
        gain = float_of(tl.load(own + S.gain_at))
        rank = tl.arange(0, S.capacity2)[:, None]
        pack_load = slot_sums(load, rank, S.capacity)
        load, tag, pack_load = exchange(
            load, tag, pack_load, gain, S.finish, S.gpus, S.capacity, S.lightest, S.light, S.light2, S.pairs2
        )
        tl.debug_barrier()
        store_table(load, tag, own, S)
        tl.store(record + S.final_at + number, busiest(pack_load))
        tl.store(record + S.final_at + S.finalists + number, candidate)
    signal(record + 2)
