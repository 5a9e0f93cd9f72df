"""A swap, as `algorithms/improving/swaps.py` makes it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.improving.table import entry_of


@triton.jit
def swap(load, tag, one, other, P: tl.constexpr):
    """The table with the entries of two places, of different packs, swapped; by how much one is heavier."""
    rank, number = tl.arange(0, load.shape[0])[:, None], tl.arange(0, load.shape[1])
    bits = bits_of(load)
    from_, to = one % P, other % P
    # Each pack's thread has at most one rank to read and to write.
    here = rank == tl.where(number == from_, one // P, tl.where(number == to, other // P, -1))[None, :]
    its_load = tl.sum(tl.where(here, bits, 0), axis=0)
    its_tag = tl.sum(tl.where(here, tag, 0), axis=0)
    load_one, load_other = entry_of(its_load, number, from_), entry_of(its_load, number, to)
    tag_one, tag_other = entry_of(its_tag, number, from_), entry_of(its_tag, number, to)
    bits = tl.where(here, tl.where(number == from_, load_other, load_one)[None, :], bits)
    tag = tl.where(here, tl.where(number == from_, tag_other, tag_one)[None, :], tag)
    return float_of(bits), tag, float_of(load_one) - float_of(load_other)
