"""Replicas of one expert that share a pack are parted, as `algorithms/improving/parting.py` does."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, INFINITE, bits_of, float_of
from eplb_xp.backends.kernels.improving.swaps import swap
from eplb_xp.backends.kernels.improving.table import at, entry_of, least, places, row_of


@triton.jit
def _doubled(tag, rank, C: tl.constexpr):
    """Whether what an entry holds is in its pack at a lower rank too."""
    found = tag < -1
    if C <= 16:
        for r in tl.static_range(C - 1):
            found = found | ((tag == row_of(tag, rank, r)[None, :]) & (rank > r))
    else:
        for r in range(C - 1):
            found = found | ((tag == row_of(tag, rank, r)[None, :]) & (rank > r))
    return found & (tag >= 0)


@triton.jit
def part(load, tag, pack_load, P: tl.constexpr, C: tl.constexpr):
    """Swap until no pack holds two of one tag."""
    rank, pack, place = places(load.shape[0], P, load.shape[1])
    there = (rank < C) & (pack < P)
    place = tl.where(there, place, -1)
    number = tl.arange(0, load.shape[1])
    doubled = _doubled(tag, rank, C)
    one = least(tl.where(doubled, place, HIGHEST))
    while one != HIGHEST:
        from_ = one % P
        its_tag = at(tag, one, P)
        its_load = float_of(at(bits_of(load), one, P))
        high = float_of(entry_of(bits_of(pack_load), number, from_))
        holds_it = tl.max((tag == its_tag).to(tl.int32), axis=0)[None, :] > 0
        theirs_here = tag < -1
        for r in range(C):
            theirs_here = theirs_here | (tag == at(tag, r * P + from_, P))
        parts = there & ~holds_it & (~theirs_here | doubled)
        less = its_load - load
        busier = bits_of(tl.maximum(high - less, pack_load[None, :] + less))
        busier = tl.where(parts, busier, INFINITE)
        best = least(busier)
        other = least(tl.where((busier == best) & there, place, HIGHEST))
        load, tag, less = swap(load, tag, one, other, P)
        pack_load = tl.where(number == from_, pack_load - less, pack_load)
        pack_load = tl.where(number == other % P, pack_load + less, pack_load)
        doubled = _doubled(tag, rank, C)
        one = least(tl.where(doubled, place, HIGHEST))
    return load, tag
