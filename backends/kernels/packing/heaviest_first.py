"""Packing by rounds, as `algorithms/packing/heaviest_first.py` has it.

The packs stand in a row, lightest first, as sorted keys.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of, float_of

# A key is a load's bits, the number of the pack, and how many items it has.
PACK = tl.constexpr(12)


@triton.jit
def key_of(load, pack, count):
    return (load.to(tl.int64) << 32) | (pack << 12 | count).to(tl.int64)


@triton.jit
def _minimum(x, y):
    return tl.minimum(x, y)


@triton.jit
def pack(load_at, slot_at, N: tl.constexpr, N2: tl.constexpr, P: tl.constexpr, P2: tl.constexpr, C: tl.constexpr):
    """Write which item, of N sorted by load, goes to each place, rank * packs + pack."""
    i = tl.arange(0, P2)
    # To read all of them now also brings them nearer for what follows.
    n = tl.arange(0, N2)
    loaded = tl.sum((tl.load(load_at + n, mask=n < N, other=0.0) > 0.0).to(tl.int32), axis=0)
    placed = tl.minimum(loaded, P)
    has_one = i < placed
    load = tl.where(has_one, bits_of(tl.load(load_at + i, mask=i < N, other=0.0)), 0)
    tl.store(slot_at + i, i, mask=has_one)
    key = tl.sort(key_of(tl.where(i < P, load, HIGHEST), i, has_one.to(tl.int32)))
    while placed < loaded:
        load = (key >> 32).to(tl.int32)
        number = (key & 0xFFFFFFFF).to(tl.int32)
        count = number & 0xFFF
        which = number >> 12
        open_ = load != HIGHEST
        item = placed + i
        item_load = tl.load(load_at + item, mask=item < N, other=0.0)
        sum_ = bits_of(float_of(load) + item_load)
        after = tl.where(open_ & (count + 1 < C), sum_, HIGHEST)
        lightest = tl.associative_scan(after, 0, _minimum)
        before = tl.gather(lightest, tl.maximum(i - 1, 0), 0)
        lighter = open_ & ((i == 0) | (load < before))
        length = tl.min(tl.where(lighter, P2, i), axis=0)
        chosen = i < length
        tl.store(slot_at + count * P + which, item, mask=chosen)
        placed += length
        if length == 1:
            # More items onto the lightest pack, for as long as it stays the lightest.
            second = tl.min(tl.where(i == 1, load, HIGHEST), axis=0)
            pile = float_of(tl.max(tl.where(i == 0, sum_, 0), axis=0))
            its_count = tl.max(tl.where(i == 0, count, 0), axis=0) + 1
            its_pack = tl.max(tl.where(i == 0, which, 0), axis=0)
            while (placed < loaded) & (its_count < C) & (bits_of(pile) < second):
                pile += tl.load(load_at + placed)
                tl.store(slot_at + its_count * P + its_pack, placed)
                its_count += 1
                placed += 1
            pile_load = tl.where(its_count < C, bits_of(pile), HIGHEST)
            key = tl.where(i == 0, key_of(pile_load, which, its_count), key)
        else:
            key = tl.where(chosen, key_of(after, which, count + 1), key)
        key = tl.sort(key)
    if placed < N:
        # Items without load into the free slots, lightest pack first.
        number = (key & 0xFFFFFFFF).to(tl.int32)
        count = number & 0xFFF
        which = number >> 12
        free = tl.where(which < P, C - count, 0)
        item = placed + tl.cumsum(free, axis=0) - free - count
        for rank in range(C):
            tl.store(slot_at + rank * P + which, item + rank, mask=(rank >= count) & (which < P))
