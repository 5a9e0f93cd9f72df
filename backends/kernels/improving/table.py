"""The slots of a row as a table, as `algorithms/improving/table.py` has them: [ranks, packs].

An entry is the load in a slot, and a tag that says what it holds.

Where no pack may hold two replicas of an expert, the tag is the expert; else each item has its own. Where
nothing else has a tag, SINGLE is added to it: then nobody need look whether a pack holds it twice.
Beyond the last rank and pack loads are zero and tags -1.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of, float_of


@triton.jit
def places(C2: tl.constexpr, P: tl.constexpr, P2: tl.constexpr):
    """Rank, pack and place of each entry, place = rank * packs + pack."""
    rank = tl.arange(0, C2)[:, None]
    pack = tl.arange(0, P2)[None, :]
    return rank, pack, rank * P + pack


@triton.jit
def row_of(x, rank, r):
    """One row of a table of integers: [packs]."""
    return tl.sum(tl.where(rank == r, x, 0), axis=0)


@triton.jit
def column_of(x, pack, p):
    """One column of a table of integers: [ranks]."""
    return tl.sum(tl.where(pack == p, x, 0), axis=1)


@triton.jit
def spread(x, pack, p):
    """One column of a table of integers, beside all of its rows."""
    if (x.shape[1] == 32) & (x.shape[0] <= 32):
        # From one thread of a warp to all of them.
        column = tl.gather(x, tl.full(x.shape, p, tl.int32), 1)
    else:
        column = column_of(x, pack, p)[:, None]
    return column


@triton.jit
def entry_of(x, index, i):
    """One entry of a row or a column."""
    return tl.sum(tl.where(index == i, x, 0), axis=0)


@triton.jit
def at(x, one, P: tl.constexpr):
    """The entry of a table of integers that is in one place."""
    row = row_of(x, tl.arange(0, x.shape[0])[:, None], one // P)
    return entry_of(row, tl.arange(0, x.shape[1]), one % P)


@triton.jit
def least(x):
    """The smallest entry of a table."""
    return tl.min(tl.min(x, axis=0), axis=0)


@triton.jit
def slot_sums(load, rank, C: tl.constexpr):
    """The loads of the packs, added up in slot order: [packs]."""
    bits = bits_of(load)
    total = float_of(row_of(bits, rank, 0))
    if C <= 16:
        for r in tl.static_range(1, C):
            total += float_of(row_of(bits, rank, r))
    else:
        for r in range(1, C):
            total += float_of(row_of(bits, rank, r))
    return total


@triton.jit
def busiest(pack_load):
    """Bits of the load of the busiest pack."""
    return tl.max(bits_of(pack_load), axis=0)


@triton.jit
def first_at(x, index, value):
    """The first entry of a value: [entries], [entries] -> its index."""
    return tl.min(tl.where(x == value, index, HIGHEST), axis=0)


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
