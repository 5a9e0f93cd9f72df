"""Loads on their way in, as `algorithms/scaling.py` has it, and sums in the order of `rows.tree_sum`."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of


@triton.jit
def clean(x):
    """Values of any dtype as float32; what is no load is zero."""
    x = x.to(tl.float32)
    return tl.where((x >= 2.0**-125) & (x < float("inf")), x, 0.0)


@triton.jit
def factors(top):
    """Two powers of two that bring the largest load into [1, 2)."""
    top = tl.where(top == 0.0, 1.0, top)
    first = tl.where(top >= 2.0**64, 2.0**-64, 1.0)
    second = float_of(2 * 0x3F800000 - (bits_of(top * first) & 0x7F800000))
    return first, second


@triton.jit
def scaled(x, first, second):
    x = x * first * second
    return tl.where(x >= 2.0**-60, x, 0.0)


@triton.jit
def leaf(place, N: tl.constexpr, LEVELS: tl.constexpr):
    """Which of N values stands at a place of a tree of 2^LEVELS, and whether any does.

    The highest bit says on which side of the first addition it is.
    """
    index = place * 0
    is_one = place >= 0
    for i in tl.static_range(LEVELS):
        # From the last addition to the first.
        half = (N + 2 ** (LEVELS - i) - 1) // 2 ** (LEVELS - i)
        size = (N + 2 ** (LEVELS - 1 - i) - 1) // 2 ** (LEVELS - 1 - i)
        right = (place >> i) & 1
        is_one = is_one & ((right == 0) | (index < size - half))
        index += right * half
    return index, is_one


@triton.jit
def tree_sum(x, LEVELS: tl.constexpr):
    """The sum of the values at the leaves."""
    for i in tl.static_range(LEVELS):
        x = tl.sum(tl.reshape(x, [2, 2 ** (LEVELS - 1 - i)]), axis=0)
    return tl.sum(x, axis=0)


@triton.jit
def tree_total(x, N: tl.constexpr, LEVELS: tl.constexpr):
    """The sum of the first N entries of a row."""
    place, is_one = leaf(tl.arange(0, x.shape[0]), N, LEVELS)
    return tree_sum(tl.where(is_one, tl.gather(x, place, 0), 0.0), LEVELS)


@triton.jit
def tree_sums(x, ROWS: tl.constexpr, LEVELS: tl.constexpr):
    """The sums of rows of values at leaves: [ROWS]."""
    for i in tl.static_range(LEVELS):
        x = tl.sum(tl.reshape(x, [ROWS, 2, 2 ** (LEVELS - 1 - i)]), axis=1)
    return tl.sum(x, axis=1)
