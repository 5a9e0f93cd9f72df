"""Candidates for rows that are not close to a bound, and what is there before, as `algorithms/joint.py` has them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.assignment import best_part, improved
from eplb_xp.backends.kernels.bits import HIGHEST, INFINITE, bits_of, float_of
from eplb_xp.backends.kernels.counts.candidates import are_new, fingerprint
from eplb_xp.backends.kernels.counts.levels import store_level
from eplb_xp.backends.kernels.counts.offspring import MOST_MOVES, store_offspring
from eplb_xp.backends.kernels.improving.finishing import store_total
from eplb_xp.backends.kernels.improving.table import busiest, entry_of, read_table, slot_sums, store_table
from eplb_xp.backends.kernels.packing.packed import items, store_items, store_packed
from eplb_xp.backends.kernels.rows import tree_total
from eplb_xp.backends.kernels.trying.family import keep_best, lightest_first, own_block, parent_of
from eplb_xp.backends.kernels.waiting import signal, uniform, wait


@triton.jit
def pack_candidate(row, generation, candidate, scratch, records, tries, S: tl.constexpr):
    """Counts, and their packing, unless the best so far is close to a bound."""
    row_at = scratch + row.to(tl.int64) * (S.parts * S.words)
    record = records + row.to(tl.int64) * S.record_words
    blocks = tries + row.to(tl.int64) * (S.blocks * S.words)
    high_bits = best_part(row, scratch, S)[0]
    if S.generations > 1:
        wait(record + 1, generation * S.refined)
        if generation > 0:
            high_bits = tl.minimum(high_bits, keep_best(record, blocks, generation, candidate == 0, high_bits, S))
    e = tl.arange(0, S.node_experts2)
    load = float_of(tl.load(row_at + S.load_at + e, mask=e < S.node_experts, other=0))
    count = tl.load(row_at + S.count_at + e, mask=e < S.node_experts, other=1)
    total = tree_total(load, S.node_experts, S.expert_levels)
    high = float_of(high_bits)
    largest = float_of(tl.max(bits_of(tl.div_rn(load, count.to(tl.float32))), axis=0))
    is_open = (high_bits < INFINITE) & (high > largest * S.close) & (high * S.gpus > total * S.close)
    if uniform(is_open.to(tl.int32)) != 0:
        own = blocks + candidate * S.words
        if generation == 0:
            if candidate == 0:
                seen = tl.where(S.alike, -1, fingerprint(row_at, S))
                tl.store(record + S.seen_at, seen)
            store_level(candidate, load, total, own, row_at, S)
        else:
            parent, number, own = parent_of(record, blocks, row_at, generation, candidate, S)
            moves = 1 + candidate // number % MOST_MOVES
            store_offspring(candidate, generation, moves, parent, row_at, own, S)
        tl.store(record + S.mark_at + candidate, fingerprint(own, S))
        item_load, item_tag = items(row_at, own, S)
        store_total(item_load, own, S)
        store_items(item_load, item_tag, own, S)
        store_packed(item_load, item_tag, item_load, own, own, S, True)
        table_load = read_table(own, S)[0]
        packed = busiest(slot_sums(table_load, tl.arange(0, S.capacity2)[:, None], S.capacity))
        tl.store(record + S.tried_at + candidate, packed)
        tl.store(record + 2, generation + 1)
    signal(record)


@triton.jit
def improve_one(row, generation, number, scratch, records, tries, S: tl.constexpr):
    """Of the new candidates the one that is the lightest but `number`, improved; in generation -1 the row itself."""
    row_at = scratch + row.to(tl.int64) * (S.parts * S.words)
    record = records + row.to(tl.int64) * S.record_words
    is_first = generation < 0 if S.shares_code else False
    own, busiest_at = row_at, row_at + S.busiest_at
    if is_first:
        is_there = uniform(tl.load(row_at + S.is_new_at)) != 0
        high_bits = tl.where(is_there, 0, INFINITE)
        steps = tl.full([], S.finish, tl.int32)
        tl.store(busiest_at + 1, 0)
    else:
        wait(record, (generation + 1) * S.candidates)
        is_there = uniform(tl.load(record + 2)) == generation + 1
        high_bits = tl.full([], INFINITE, tl.int32)
        steps = tl.full([], S.steps, tl.int32)
        if is_there:
            candidate, high_bits = _lightest(record, generation, number, S)
            own = tries + row.to(tl.int64) * (S.blocks * S.words)
            own += own_block(record, generation, candidate, S) * S.words
            busiest_at = record + S.refined_at + number
            tl.store(busiest_at + S.refined, candidate)
            mark = tl.load(record + S.mark_at + candidate)
            tl.store(record + S.seen_at + 1 + generation * S.refined + number, mark)
    if high_bits < INFINITE:
        load, tag = read_table(own, S)
        load, tag, pack_load = improved(load, tag, own, steps, S, S.steps > 0)
        tl.debug_barrier()
        store_table(load, tag, own, S)
        high_bits = busiest(pack_load)
    tl.store(busiest_at, high_bits, mask=is_there)
    if generation >= 0:
        signal(record + 1)


@triton.jit
def _lightest(record, generation, number, S: tl.constexpr):
    """Of the new candidates the one that is the lightest but `number`, and its busiest pack."""
    i = tl.arange(0, S.candidates2)
    high = tl.load(record + S.tried_at + i, mask=i < S.candidates, other=HIGHEST)
    high = tl.where(are_new(record, generation, S) | (i >= S.candidates), high, INFINITE)
    high, candidate = lightest_first(high, i)
    # Of fewer entries than a warp has threads the sum comes through shuffles.
    return uniform(entry_of(candidate, i, number)), uniform(entry_of(high, i, number))
