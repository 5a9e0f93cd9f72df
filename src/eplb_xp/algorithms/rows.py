"""What the standard lacks for rows of a batch: inverse, counts, search and sums of one order."""

from typing import Any, TypeVar

from eplb_xp.algorithms.hashing import hashed
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

Rows = TypeVar("Rows", bound=Any)


def inverse(lib: Standard, permutation: Array) -> Array:
    """The position of each item in a permutation of each row."""
    position = lib.arange_like(permutation)
    return lib.put_along_axis(permutation, permutation, position)


def mixed_order(lib: Standard, x: Array) -> Array:
    """The positions of a row in an order that looks drawn, the same for all rows."""
    position = lib.arange_like(x)
    _, order = lib.sort_rows(lib.xp.astype(hashed(hashed(position + 1)) >> 8, lib.xp.float32), position)
    return order


def count(lib: Standard, condition: Array) -> Array:
    """How often a condition holds in each row: [rows, 1]."""
    return lib.xp.count_nonzero(condition, axis=-1, keepdims=True)


def take_rows(lib: Standard, x: Rows, row: Array) -> Rows:
    """The rows of these numbers [rows], of an array or of each in a NamedTuple."""
    if isinstance(x, tuple):
        return type(x)(*(take_rows(lib, part, row) for part in x))
    return lib.take(x, row, axis=0)


def choose(lib: Standard, condition: Array, one: Rows, other: Rows) -> Rows:
    """One or the other, of two arrays or of each two in a NamedTuple."""
    if isinstance(one, tuple):
        return type(one)(*(choose(lib, condition, x, y) for x, y in zip(one, other, strict=True)))
    return lib.xp.where(condition, one, other)


def put_rows(lib: Standard, x: Rows, found: Rows, place: Array, number: int) -> Rows:
    """The rows that have a place [rows] among so many that were found, as they were found; the others as they are."""
    if isinstance(x, tuple):
        return type(x)(*(put_rows(lib, *pair, place, number) for pair in zip(x, found, strict=True)))
    there = (place >= 0) & (place < number)
    taken = lib.take(found, lib.xp.where(there, place, 0), axis=0)
    return lib.xp.where(lib.xp.reshape(there, (-1, *(1 for _ in x.shape[1:]))), taken, x)


def for_each(lib: Standard, x: Array, number: int) -> Array:
    """Each row so many times, one after the other: [rows * number, items]."""
    xp = lib.xp
    rows, items = x.shape
    return xp.reshape(xp.broadcast_to(x[:, None, :], (rows, number, items)), (rows * number, items))


def transposed(lib: Standard, x: Array, columns: int) -> Array:
    """The rows of a table one after the other, from its columns one after the other: [rows, items] each."""
    xp = lib.xp
    rows, size = x.shape
    by_column = xp.reshape(x, (rows, columns, size // columns))
    return xp.reshape(xp.permute_dims(by_column, (0, 2, 1)), (rows, size))


def count_at_most(lib: Standard, ascending: Array, queries: Array, span: int) -> Array:
    """How many values of an ascending row are at most each query: [rows, values], [rows, queries].

    All are integers from 0 up to, not including, ``span``. The rows are lifted above each other, so
    that one search over a single ascending line answers for all of them.
    """
    xp = lib.xp
    rows, values = ascending.shape
    row = lib.arange(rows, ascending)[:, None]
    # The lift comes last: Inductor can't search in a reshaped array.
    line = xp.reshape(ascending, (rows * values,)) + lib.arange(rows * values, ascending) // values * span
    found = xp.searchsorted(line, queries + row * span, side="right")
    return xp.astype(found, lib.index_dtype) - row * values


def tree_sum(lib: Standard, values: Array) -> Array:
    """Sum over the last axis as a tree of explicit additions, the same tree in every library."""
    xp = lib.xp
    while values.shape[-1] > 1:
        half = (values.shape[-1] + 1) // 2
        left, right = values[..., :half], values[..., half:]
        if right.shape[-1] < half:
            right = xp.concat([right, xp.zeros_like(left[..., :1])], axis=-1)
        values = left + right
    return values[..., 0]


def slot_sum(lib: Standard, slot_load: Array) -> Array:
    """Sum over the last of three axes in slot order, which is the order in which the packing adds."""

    def add(slot: int, total: Array) -> Array:
        return total + slot_load[:, :, slot]

    return lib.fori_loop(1, slot_load.shape[-1], add, slot_load[:, :, 0])
