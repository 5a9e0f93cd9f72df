"""The last kernel: candidates for rows that are not close to a bound, the best start, the better split, the maps.

Its programs draw numbers, and each waits only for work of lower numbers than its own. So all that it waits for
has begun, and no program waits for one that has found no room on the GPU yet.

Where it has the code for what is packed without candidates (`Shape.shares_code`) it is launched for that before, a
program for each row: numbers go on from there.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.assignment import best_part
from eplb_xp.backends.kernels.bits import HIGHEST, LOWEST
from eplb_xp.backends.kernels.joint import improve_one, pack_candidate
from eplb_xp.backends.kernels.maps import write_maps
from eplb_xp.backends.kernels.trying.family import own_block
from eplb_xp.backends.kernels.waiting import uniform, wait


@triton.jit
def choose(phy2log, log2phy, logcnt, scratch, S: tl.constexpr):
    if S.levels > 0:
        rows = uniform(tl.load(scratch + S.rows_at))
        records = scratch + rows.to(tl.int64) * (S.parts * S.words)
        ticket_at = records + rows.to(tl.int64) * S.record_words
        ticket = uniform(tl.atomic_add(ticket_at, 1, sem="relaxed"))
        tries = ticket_at + 1
        each = rows * (S.candidates + S.refined)
        if S.shares_code:
            ticket -= rows  # below zero in the launch that improves what is packed without candidates
        generation = tl.where(ticket < 0, -1, ticket // each)
        if generation < S.generations:
            place = ticket - generation * each
            if place < rows * S.candidates:
                row = place // S.candidates
                pack_candidate(row, generation, place % S.candidates, scratch, records, tries, S)
            else:
                place -= rows * S.candidates
                row = tl.where(generation < 0, rows + ticket, place // S.refined)
                improve_one(row, generation, place % S.refined, scratch, records, tries, S)
        else:
            _write(ticket - S.generations * each, phy2log, log2phy, logcnt, scratch, records, tries, S)
    else:
        _write(tl.program_id(0), phy2log, log2phy, logcnt, scratch, scratch, scratch, S)


@triton.jit
def _write(ticket, phy2log, log2phy, logcnt, scratch, records, tries, S: tl.constexpr):
    """The maps of a node of a layer, from the better of its splits and the best that was placed with that."""
    layer, node = ticket // S.nodes, ticket % S.nodes
    half = 0
    if S.levels > 0:
        for each in range(S.rows):
            wait(records + (layer * S.rows + each).to(tl.int64) * S.record_words + 1, S.generations * S.refined)
    if S.halves == 2:
        each = tl.arange(0, S.rows2)
        its_row = (layer * S.rows + tl.minimum(each, S.rows - 1)).to(tl.int64)
        high = tl.full([S.rows2], HIGHEST, tl.int32)
        for part_ in range(S.parts):
            high = tl.minimum(high, tl.load(scratch + (its_row * S.parts + part_) * S.words + S.busiest_at))
        if S.levels > 0:
            # The best of earlier generations, and those of the last.
            high = tl.minimum(high, tl.load(records + its_row * S.record_words + S.best_at))
            for number in range(S.refined):
                high = tl.minimum(high, tl.load(records + its_row * S.record_words + S.refined_at + number))
        first = tl.max(tl.where(each < S.nodes, high, LOWEST), axis=0)
        second = tl.max(tl.where((each >= S.nodes) & (each < S.rows), high, LOWEST), axis=0)
        half = (second < first).to(tl.int32)

    row = layer * S.rows + half * S.nodes + node
    row_at = scratch + row.to(tl.int64) * (S.parts * S.words)
    high, best = best_part(row, scratch, S)
    from_ = scratch + (row * S.parts + best).to(tl.int64) * S.words
    counts_at = row_at + S.count_at
    if S.levels > 0:
        i = tl.arange(0, S.refined2)
        record = records + row.to(tl.int64) * S.record_words
        blocks = tries + row.to(tl.int64) * (S.blocks * S.words)
        kept = tl.load(record + S.best_at)
        if kept < high:
            high = kept
            from_ = blocks + 2 * S.candidates * S.words
            counts_at = from_ + S.count_at
        finals = tl.load(record + S.refined_at + i, mask=i < S.refined, other=HIGHEST)
        lowest = tl.min(finals, axis=0)
        if lowest < high:
            number = tl.min(tl.where(finals == lowest, i, HIGHEST), axis=0)
            candidate = tl.load(record + S.refined_at + S.refined + number)
            from_ = blocks + own_block(record, tl.load(record + 2) - 1, candidate, S) * S.words
            counts_at = from_ + S.count_at
    write_maps(from_, counts_at, row_at, layer.to(tl.int64), node, phy2log, log2phy, logcnt, S)
