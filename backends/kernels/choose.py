"""The last kernel: candidates for rows that are not close to a bound, the best start, the better split, the maps.

Its programs draw numbers, and each waits only for work of lower numbers than its own. So all that it waits for
has begun, and no program waits for one that has found no room on the GPU yet.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, INFINITE, LOWEST, bits_of, float_of
from eplb_xp.backends.kernels.exchanges import exchange
from eplb_xp.backends.kernels.items import items, least_gain, read_table, store_items, store_packed, store_table
from eplb_xp.backends.kernels.levels import store_candidate
from eplb_xp.backends.kernels.loads import tree_total
from eplb_xp.backends.kernels.maps import write_maps
from eplb_xp.backends.kernels.parting import part
from eplb_xp.backends.kernels.swaps import refine
from eplb_xp.backends.kernels.table import busiest, slot_sums


@triton.jit
def choose(phy2log, log2phy, logcnt, scratch, S: tl.constexpr):
    rows = tl.num_programs(0) // S.layer_programs * S.rows
    records = scratch + rows.to(tl.int64) * (S.parts * S.words)
    ticket = tl.program_id(0)
    if S.levels > 0:
        ticket = tl.atomic_add(records + rows.to(tl.int64) * S.record_words, 1, sem="relaxed")
        tries = records + rows.to(tl.int64) * S.record_words + 1
        if ticket < rows * S.candidates:
            row = ticket // S.candidates
            _pack_candidate(row, ticket % S.candidates, scratch, records, tries, S)
        ticket -= rows * S.candidates
        if (ticket >= 0) & (ticket < rows * S.refined):
            _refine_candidate(ticket // S.refined, ticket % S.refined, records, tries, S)
        ticket -= rows * S.refined
        if (ticket >= 0) & (ticket < rows * S.finalists):
            _finish_candidate(ticket // S.finalists, ticket % S.finalists, records, tries, S)
        ticket -= rows * S.finalists
        if ticket >= 0:
            _write(ticket, phy2log, log2phy, logcnt, scratch, records, tries, S)
    else:
        _write(ticket, phy2log, log2phy, logcnt, scratch, records, records, S)


@triton.jit
def _signal(counter_at):
    """Count one up, once all that this program wrote can be read."""
    tl.debug_barrier()
    tl.atomic_add(counter_at, 1, sem="release")


@triton.jit
def _wait(counter_at, number: tl.constexpr):
    counted = tl.atomic_add(counter_at, 0, sem="acquire")
    while counted < number:
        counted = tl.atomic_add(counter_at, 0, sem="acquire")
    tl.debug_barrier()


@triton.jit
def _best_part(row, scratch, S: tl.constexpr):
    """The busiest pack of a row's best start, and which part of the row's memory it is in."""
    part_ = tl.arange(0, S.parts2)
    at = scratch + (row * S.parts + part_).to(tl.int64) * S.words + S.busiest_at
    there = part_ < S.parts
    high = tl.load(at, mask=there, other=HIGHEST)
    start = tl.load(at + 1, mask=there, other=HIGHEST)
    least = tl.min(high, axis=0)
    return least, tl.min(tl.where((high == least) & there, start, HIGHEST), axis=0) % S.parts


@triton.jit
def _pack_candidate(row, candidate, scratch, records, tries, S: tl.constexpr):
    row_at = scratch + row.to(tl.int64) * (S.parts * S.words)
    record = records + row.to(tl.int64) * S.record_words
    own = tries + (row * S.candidates + candidate).to(tl.int64) * S.words
    e = tl.arange(0, S.node_experts2)
    load = float_of(tl.load(row_at + S.load_at + e, mask=e < S.node_experts, other=0))
    count = tl.load(row_at + S.count_at + e, mask=e < S.node_experts, other=1)
    total = tree_total(load, S.node_experts, S.expert_levels)
    high_bits = _best_part(row, scratch, S)[0]
    high = float_of(high_bits)
    largest = float_of(tl.max(bits_of(tl.div_rn(load, count.to(tl.float32))), axis=0))
    if (high_bits < INFINITE) & (high > largest * S.close) & (high * S.gpus > total * S.close):
        is_new = store_candidate(candidate, load, total, own, row_at, S)
        item_load, item_tag = items(row_at, own, S)
        tl.store(own + S.gain_at, bits_of(least_gain(item_load, S)))
        store_items(item_load, item_tag, own, S)
        store_packed(item_load, item_tag, item_load, own, own, S, True)
        table_load = read_table(own, S)[0]
        packed = busiest(slot_sums(table_load, tl.arange(0, S.capacity2)[:, None], S.capacity))
        tl.store(record + S.tried_at + candidate, tl.where(is_new, packed, INFINITE))
        tl.store(record + 3, 1)
    _signal(record)


@triton.jit
def _ranked(at, number, NUMBER: tl.constexpr, NUMBER2: tl.constexpr):
    """Of so many busiest packs, which is the lightest but `number`, the first of equal ones."""
    i = tl.arange(0, NUMBER2)
    high = tl.load(at + i, mask=i < NUMBER, other=HIGHEST)
    key = tl.sort((high.to(tl.int64) << 32) | i.to(tl.int64))
    return tl.sum(tl.where(i == number, (key & 0xFFFFFFFF).to(tl.int32), 0), axis=0)


@triton.jit
def _refine_candidate(row, number, records, tries, S: tl.constexpr):
    record = records + row.to(tl.int64) * S.record_words
    _wait(record, S.candidates)
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
    _signal(record + 1)


@triton.jit
def _finish_candidate(row, number, records, tries, S: tl.constexpr):
    record = records + row.to(tl.int64) * S.record_words
    _wait(record + 1, S.refined)
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
    _signal(record + 2)


@triton.jit
def _write(ticket, phy2log, log2phy, logcnt, scratch, records, tries, S: tl.constexpr):
    """The maps of a node of a layer, from the better of its splits and the best that was placed with that."""
    layer, node = ticket // S.nodes, ticket % S.nodes
    half = 0
    if S.levels > 0:
        for each in range(S.rows):
            _wait(records + (layer * S.rows + each).to(tl.int64) * S.record_words + 2, S.finalists)
    if S.halves == 2:
        each = tl.arange(0, S.rows2)
        its_row = (layer * S.rows + tl.minimum(each, S.rows - 1)).to(tl.int64)
        high = tl.full([S.rows2], HIGHEST, tl.int32)
        for part_ in range(S.parts):
            high = tl.minimum(high, tl.load(scratch + (its_row * S.parts + part_) * S.words + S.busiest_at))
        if S.levels > 0:
            for final in range(S.finalists):
                high = tl.minimum(high, tl.load(records + its_row * S.record_words + S.final_at + final))
        first = tl.max(tl.where(each < S.nodes, high, LOWEST), axis=0)
        second = tl.max(tl.where((each >= S.nodes) & (each < S.rows), high, LOWEST), axis=0)
        half = (second < first).to(tl.int32)

    row = layer * S.rows + half * S.nodes + node
    row_at = scratch + row.to(tl.int64) * (S.parts * S.words)
    high, best = _best_part(row, scratch, S)
    from_ = scratch + (row * S.parts + best).to(tl.int64) * S.words
    counts_at = row_at + S.count_at
    if S.levels > 0:
        i = tl.arange(0, S.finalists2)
        record = records + row.to(tl.int64) * S.record_words
        finals = tl.load(record + S.final_at + i, mask=i < S.finalists, other=HIGHEST)
        lowest = tl.min(finals, axis=0)
        if lowest < high:
            final = tl.min(tl.where(finals == lowest, i, HIGHEST), axis=0)
            candidate = tl.load(record + S.final_at + S.finalists + final)
            from_ = tries + (row * S.candidates + candidate).to(tl.int64) * S.words
            counts_at = from_ + S.count_at
    write_maps(from_, counts_at, row_at, layer.to(tl.int64), node, phy2log, log2phy, logcnt, S)
