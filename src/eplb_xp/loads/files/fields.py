"""Which part of a file holds the loads."""

import textwrap
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

Numbers: TypeAlias = np.ndarray[Any, Any]

NAMES = ("load", "logical_count")


class UnfitError(ValueError):
    """A file that was read and holds no loads; the message says what was found, and what was expected."""


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
