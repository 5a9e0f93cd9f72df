"""Swaps, and two items for two where none helps, as `algorithms/improving/exchanges.py` has them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.improving.pairs import best_pairs
from eplb_xp.backends.kernels.improving.refinement import best
from eplb_xp.backends.kernels.improving.swaps import swap
from eplb_xp.backends.kernels.improving.table import busiest, slot_sums


@triton.jit
def exchange(
    load,
    tag,
    pack_load,
    least_gain,
    rounds,
    P: tl.constexpr,
    C: tl.constexpr,
    LIGHTEST: tl.constexpr,
    W: tl.constexpr,
    W2: tl.constexpr,
    T2: tl.constexpr,
):
    """At most so many improvements; what was before where they are none."""
    rank = tl.arange(0, load.shape[0])[:, None]
    before, before_tag, before_load = load, tag, pack_load
    left = rounds
    while left > 0:
        one, other, after, high = best(load, tag, pack_load, P, C, LIGHTEST)
        left -= 1
        if (high - after) * P > least_gain:
            load, tag, _ = swap(load, tag, one, other, P)
        else:
            one, other, third, fourth, after, high = best_pairs(load, tag, pack_load, P, C, W, W2, T2)
            if (high - after) * P > least_gain:
                load, tag, _ = swap(load, tag, one, other, P)
                load, tag, _ = swap(load, tag, third, fourth, P)
            else:
                left = 0
        pack_load = slot_sums(load, rank, C)
    if busiest(pack_load) > busiest(before_load):
        load, tag, pack_load = before, before_tag, before_load
    return load, tag, pack_load
