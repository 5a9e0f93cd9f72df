"""Which part of a file holds the loads, and what is said where none does."""

import textwrap
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

Numbers: TypeAlias = np.ndarray[Any, Any]

NAMES = ("load", "logical_count")


class UnfitError(ValueError):
    """A file that was read and doesn't hold what is wanted; the message says what was found, and what was expected."""


def name_of_loads(names: Iterable[object], expected: str = "'load' or 'logical_count'") -> str:
    """The name of the loads among those that a file has."""
    found = list(names)
    for name in NAMES:
        if name in found:
            return name
    raise UnfitError(f"there must be {expected}; found: {listed(found)}")


def listed(names: Iterable[object]) -> str:
    """Names from a file, as far as a line has room."""
    return textwrap.shorten(", ".join(map(str, names)) or "none", 60, placeholder=" ...")


def array_of_numbers(nested: list[Any]) -> Numbers:
    """Lists of Python's numbers as an array."""
    load = np.array(nested)
    return load.astype(np.float64) if load.dtype == object else load  # integers beyond 64 bits


def whole(name: str, value: Any, *, least: int = 0) -> int:
    """A whole number of a file."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise UnfitError(f"{name} must be a whole number from {least}, got {str(value)[:30]!r}")
    return int(value)


def check_counts(name: str, counts: Numbers, axis: str) -> None:
    """Refuse what no count of tokens is where a sum would hide it: [layers, experts or slots]."""
    if not counts.min() >= 0:  # not so where one is NaN
        layer, place = np.argwhere(~(counts >= 0))[0]
        first = counts[layer, place]
        raise UnfitError(
            f"{name} has counts that are negative or NaN, the first {first} in layer {layer}, {axis} {place}"
        )


def matrix(name: str, value: Any, kinds: str, axes: str) -> Numbers:
    """An array of a file, or lists, with these axes of integers (``iu``) or of any real numbers (``iuf``)."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise UnfitError(f"{name} must be {axes}, got rows of different lengths") from error
    if array.dtype.kind not in kinds or array.ndim != axes.count(",") + 1 or array.size == 0:
        what = "whole numbers" if kinds == "iu" else "numbers"
        raise UnfitError(f"{name} must be {what} {axes}, none of them 0, got shape {array.shape} of {array.dtype}")
    return array
