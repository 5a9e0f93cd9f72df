"""What later generations need of earlier ones, as `algorithms/trying/family.py` keeps it.

The candidates of a row have two lots of blocks of memory: parents lie in one, and the next generation takes the
other. One block more has the best so far.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, INFINITE
from eplb_xp.backends.kernels.improving.table import entry_of


@triton.jit
def own_block(record, generation, candidate, S: tl.constexpr):
    """The block of a candidate."""
    lot = generation * 0
    if S.generations > 1:
        lot = tl.load(record + S.lot_at + generation)
    return lot * S.candidates + candidate


@triton.jit
def lightest_first(high, number):
    """Busiest packs in ascending order, equal ones by their numbers, and the numbers."""
    key = tl.sort((high.to(tl.int64) << 32) | number.to(tl.int64))
    return (key >> 32).to(tl.int32), (key & 0xFFFFFFFF).to(tl.int32)


@triton.jit
def _ranked(record, S: tl.constexpr):
    """The busiest packs of those that were improved last, lightest first, and which candidates they are."""
    i = tl.arange(0, S.refined2)
    high = tl.load(record + S.refined_at + i, mask=i < S.refined, other=HIGHEST)
    high, lane = lightest_first(high, i)
    return high, tl.load(record + S.refined_at + S.refined + lane, mask=lane < S.refined, other=0)


@triton.jit
def keep_best(record, blocks, generation, keeps, placed, S: tl.constexpr):
    """The busiest pack of the best candidate before a generation; one program copies what is in its slots, and counts.

    What is ``placed`` without candidates is not worse than what is copied.
    """
    high, candidate = _ranked(record, S)
    i = tl.arange(0, S.refined2)
    lowest = tl.min(high, axis=0)
    kept = tl.load(record + S.best_at)
    if keeps & (lowest < kept) & (lowest < placed) & (tl.load(record + 2) >= generation):
        which = entry_of(candidate, i, 0)
        from_ = blocks + own_block(record, generation - 1, which, S) * S.words
        to = blocks + 2 * S.candidates * S.words
        k, e = tl.arange(0, S.slots2), tl.arange(0, S.node_experts2)
        slot = tl.load(from_ + S.slot_at + k, mask=k < S.slots, other=0)
        count = tl.load(from_ + S.count_at + e, mask=e < S.node_experts, other=0)
        tl.store(to + S.slot_at + k, slot, mask=k < S.slots)
        tl.store(to + S.count_at + e, count, mask=e < S.node_experts)
        tl.store(record + S.best_at, lowest)
    return tl.minimum(kept, lowest)


@triton.jit
def parent_of(record, blocks, row_at, generation, candidate, S: tl.constexpr):
    """Where a candidate's parent is, of how many, and where the candidate itself is."""
    high, tried = _ranked(record, S)
    i = tl.arange(0, S.refined2)
    lot = tl.load(record + S.lot_at + generation - 1)
    number = tl.minimum(tl.sum((high < INFINITE).to(tl.int32), axis=0), S.parents)
    block = lot * S.candidates + tried
    if number > 0:
        if candidate == 0:
            tl.store(record + S.parents_at, number)
            tl.store(record + S.parents_at + 1 + i, block, mask=i < S.parents)
        lot = 1 - lot
    else:
        number = tl.load(record + S.parents_at)
        block = tl.load(record + S.parents_at + 1 + i, mask=i < S.parents, other=0)
    tl.store(record + S.lot_at + generation, lot)
    own = blocks + (lot * S.candidates + candidate) * S.words
    parent = row_at
    if number > 0:
        which = entry_of(block, i, candidate % tl.maximum(number, 1))
        parent = blocks + which * S.words
    return parent, tl.maximum(number, 1), own
