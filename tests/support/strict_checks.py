"""Checks of array-api-strict that took half of its time, with the same answers."""

from typing import Any

from array_api_strict import _array_object, _dtypes

ARRAYS: Any = _array_object
TYPE: Any = _dtypes.DType


class _HasIndex(type):
    def __instancecheck__(cls, x: object) -> bool:
        return hasattr(type(x), "__index__")


class Integer(metaclass=_HasIndex):
    """What `typing.SupportsIndex` is for isinstance, which looks for all that a protocol may name."""


def use_faster_checks() -> None:
    slowly = TYPE.__eq__

    def equal(self: Any, other: Any) -> bool:
        return bool(self._np_dtype == other._np_dtype if type(other) is TYPE else slowly(self, other))

    TYPE.__eq__ = equal
    ARRAYS.SupportsIndex = Integer
    # Each new array's dtype is looked for in a tuple of all of them.
    ARRAYS._all_dtypes = frozenset(ARRAYS._all_dtypes)
    ARRAYS._dtype_categories = {name: frozenset(dtypes) for name, dtypes in ARRAYS._dtype_categories.items()}
