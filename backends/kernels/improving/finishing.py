"""What comes after swaps, by the number of items in a pack, as `algorithms/improving/finishing.py` has it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.improving.exchanges import exchange
from eplb_xp.backends.kernels.improving.refinement import refine
from eplb_xp.backends.kernels.improving.shaking import shake
from eplb_xp.backends.kernels.rows import tree_total

# `finishing.SHAKEN_ITEMS`, `pairs.MOST_ITEMS`.
SHAKEN_ITEMS = tl.constexpr(3)
MOST_ITEMS = tl.constexpr(16)


@triton.jit
def store_total(load, own, S: tl.constexpr):
    """Write the load of the items, and the load, times the number of packs, that an improvement must bring."""
    total = tree_total(load, S.packed, S.packed_levels)
    tl.store(own + S.total_at, bits_of(total))
    tl.store(own + S.gain_at, bits_of(total * S.threshold))


@triton.jit
def finished(load, tag, pack_load, items_at, steps, S: tl.constexpr):
    """After at most so many further steps, given where the items' total is."""
    gain = float_of(tl.load(items_at + S.gain_at))
    if S.capacity == SHAKEN_ITEMS:
        total = float_of(tl.load(items_at + S.total_at))
        load, tag, pack_load = shake(load, tag, pack_load, total, gain, steps, S)
    elif S.capacity <= MOST_ITEMS:
        load, tag, pack_load = exchange(
            load, tag, pack_load, gain, steps, S.gpus, S.capacity, S.lightest, S.light, S.light2, S.pairs2
        )
    else:
        load, tag, pack_load = refine(load, tag, pack_load, gain, steps, S.gpus, S.capacity, S.lightest)
    return load, tag, pack_load
