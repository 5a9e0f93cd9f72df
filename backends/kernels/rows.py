"""Sums of a row in one order, as `algorithms/rows.py` adds them."""

import triton
import triton.language as tl


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
def position(index, N: tl.constexpr, LEVELS: tl.constexpr):
    """At which place of such a tree each of N values stands."""
    place = index * 0
    for j in tl.static_range(LEVELS):
        # From the first addition to the last.
        half = (N + 2 ** (j + 1) - 1) // 2 ** (j + 1)
        right = (index >= half).to(tl.int32)
        index -= right * half
        place += right << (LEVELS - 1 - j)
    return place


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


@triton.jit
def column_tree_sums(x, COLUMNS: tl.constexpr, LEVELS: tl.constexpr):
    """The sums of columns of values at leaves: [COLUMNS]."""
    for i in tl.static_range(LEVELS):
        x = tl.sum(tl.reshape(x, [2, 2 ** (LEVELS - 1 - i), COLUMNS]), axis=0)
    return tl.sum(x, axis=0)
