"""One library as the tests see it: NumPy arrays in, NumPy arrays out.

On the way out a result must be of the library, the dtype and the device that it should be, its
entries must be its own, and the input must be unchanged.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

NumPyArray = np.ndarray[Any, Any]

DTYPES = ("int32", "int64", "uint8", "uint16", "float16", "bfloat16", "float32", "float64")


class Library:
    """NumPy, and what the others have in common."""

    array: Any = np.ndarray
    index: Any = np.dtype(np.int64)
    float32: Any = np.dtype(np.float32)
    boolean: Any = np.dtype(np.bool_)
    dtypes: tuple[str, ...] = DTYPES
    reads_values = True  # they lie in host memory, so the planner looks at them

    def __init__(self, name: str) -> None:
        self.name = name
        self.runs = 0

    def asarray(self, x: NumPyArray) -> Any:
        return x.copy()

    def device(self, x: Any) -> Any:
        return x.device

    def values(self, x: Any) -> NumPyArray:
        return np.asarray(x)

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        return function(*arrays, **static)

    def run(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        """The function's result for these arrays, if it has one: indices as int64, floats as float32, or bool."""
        self.runs += 1
        given = each(self.asarray, arrays)
        before = [self.values(x).tobytes() for x in leaves(given)]
        try:
            result = self.call(function, *given, **static)
        finally:
            assert [self.values(x).tobytes() for x in leaves(given)] == before, "the input was changed"
        device = self.device(leaves(given)[0])
        return None if result is None else each(lambda y: self.checked(y, device), result)

    def checked(self, y: Any, device: Any) -> NumPyArray:
        assert isinstance(y, self.array), type(y)
        assert y.dtype in (self.index, self.float32, self.boolean), y.dtype
        assert self.device(y) == device, self.device(y)
        self.write_to(y)
        dtypes = {self.boolean: np.bool_, self.index: np.int64, self.float32: np.float32}
        return self.values(y).astype(dtypes[y.dtype])

    def write_to(self, y: Any) -> None:
        """What it holds already: this fails where y can't be written to, or where its entries share memory."""
        if y.dtype == self.boolean:
            y |= y
        else:
            y += 0


class ReadOnly(Library):
    def asarray(self, x: NumPyArray) -> NumPyArray:
        x = x.copy()
        x.flags.writeable = False
        return x


def each(function: Callable[[Any], Any], tree: Any) -> Any:
    """The function of every array in nested tuples; NamedTuples stay what they are."""
    if not isinstance(tree, tuple):
        return function(tree)
    results = [each(function, leaf) for leaf in tree]
    return type(tree)(*results) if hasattr(tree, "_fields") else tuple(results)


def leaves(tree: Any) -> list[Any]:
    """Every array in nested tuples."""
    return [array for leaf in tree for array in leaves(leaf)] if isinstance(tree, tuple) else [tree]
