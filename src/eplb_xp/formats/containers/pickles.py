"""Dicts of arrays in NumPy's object arrays, read without running what a pickle asks for.

A pickle is a program. This one may build lists, tuples, dicts and what NumPy writes for an array, and calls nothing but
the stand-ins below: where it names anything else, it is refused before it runs. Sizes are compared with what is there
before anything of that size is made.
"""

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError

NUMBERS = {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"}
TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
TUPLES = {"MARK", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
LISTS = {"EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"}
ARRAYS = {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"}
WRITING = {"PROTO", "FRAME", "STOP", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"}
ALLOWED = NUMBERS | TEXTS | TUPLES | LISTS | ARRAYS | WRITING


class _Dtype:
    """Stands in for ``numpy.dtype``."""

    def __init__(self, name: str, *_: object) -> None:
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def real(self) -> np.dtype[Any]:
        """The dtype, of numbers."""
        if self.name[:1] not in ("i", "u", "f", "b") or not self.name[1:].isdigit():
            raise UnfitError(f"arrays in it must be of numbers, got dtype {self.name[:20]!r}")
        return np.dtype(self.name).newbyteorder(self.order)  # type: ignore[arg-type] # one of three


class _Array:
    """Stands in for ``numpy.ndarray``, made as NumPy's ``_reconstruct`` makes it."""

    def __init__(self, *_: object) -> None:
        self.value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, data = state
        if dtype.name == "O8":
            self.value = data[0] if shape == () and len(data) == 1 else None
            return
        real = dtype.real()
        if math.prod(shape) * real.itemsize != len(data) or min(shape, default=0) < 0:
            raise UnfitError(f"an array in it of shape {shape} and {real} has {len(data)} bytes")
        self.value = np.frombuffer(data, real).reshape(shape, order="F" if is_fortran else "C")


class _Scalar:
    """Stands in for NumPy's own numbers."""

    def __init__(self, dtype: _Dtype, data: bytes) -> None:
        self.value = np.frombuffer(data, dtype.real())[0]

    def __setstate__(self, state: object) -> None:
        raise UnfitError("numbers in it have no state")


NAMED = {
    ("multiarray", "_reconstruct"): _Array,
    ("multiarray", "scalar"): _Scalar,
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): "ndarray",  # named, never called
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, or nothing at all."""
        place = module.removeprefix("numpy._core.").removeprefix("numpy.core.")
        if (place, name) not in NAMED:
            raise UnfitError(f"it asks for {module[:40]}.{name[:40]}, and only arrays, numbers and texts are read")
        return NAMED[place, name]


def read_dict(content: bytes) -> dict[str, Numbers | Any]:
    """The dict in a pickled object array of no axes; arrays in it are NumPy's, all else plain values."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name not in ALLOWED:
            raise UnfitError(f"its pickle does {opcode.name}, which no array of plain values takes; nothing was run")
        if opcode.name == "LONG_BINPUT" and (argument or 0) > len(content):
            raise UnfitError("its pickle counts more values than it has bytes")
    made = _Unpickler(io.BytesIO(content)).load()
    found = made.value if isinstance(made, _Array) else None
    if not isinstance(found, dict):
        raise UnfitError("an object array must be of no axes and hold a dict")
    return {str(name): each.value if isinstance(each, _Array | _Scalar) else each for name, each in found.items()}
