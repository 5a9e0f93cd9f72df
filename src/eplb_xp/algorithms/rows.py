"""What the standard lacks for rows of a batch: order, inverse, search and a sum of one order."""

from typing import TYPE_CHECKING

from eplb_xp.types import Array

if TYPE_CHECKING:
    from eplb_xp.backends.standard import Standard


def heaviest_first(lib: "Standard", load: Array) -> Array:
    """The items of each row, heaviest first; among equals the first in the row comes first."""
    return lib.xp.argsort(-load, axis=-1, stable=True)


def inverse(lib: "Standard", permutation: Array) -> Array:
    """The position of each item in a permutation of each row."""
    position = lib.arange_like(permutation)
    return lib.put_along_axis(permutation, permutation, position)


def count_at_most(lib: "Standard", ascending: Array, queries: Array) -> Array:
    """How many values of an ascending row are at most each query: [rows, values], [rows, queries].

    A binary search from the highest bit down: log2(values) gathers, no loop.
    """
    xp = lib.xp
    size = ascending.shape[-1]
    found = xp.zeros_like(queries)
    for bit in reversed(range(size.bit_length())):
        probe = found + (1 << bit)
        value = xp.take_along_axis(ascending, xp.clip(probe - 1, 0, size - 1), axis=-1)
        found = xp.where((probe <= size) & (value <= queries), probe, found)
    return found


def tree_sum(lib: "Standard", values: Array) -> Array:
    """Sum over the last axis as a tree of explicit additions, the same tree in every library."""
    xp = lib.xp
    while values.shape[-1] > 1:
        half = (values.shape[-1] + 1) // 2
        left, right = values[..., :half], values[..., half:]
        if right.shape[-1] < half:
            right = xp.concat([right, xp.zeros_like(left[..., :1])], axis=-1)
        values = left + right
    return values[..., 0]
