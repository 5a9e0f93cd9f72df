"""NumPy, which is a namespace of the standard itself from 2.1 on."""

from typing import Any

import numpy as np

from eplb_xp.algorithms import pipeline
from eplb_xp.algorithms.routing import quotas, route
from eplb_xp.algorithms.sharing import prepared, shares
from eplb_xp.backends.float32 import EXPONENT, TWICE_ONE
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.steps import SEARCHES
from eplb_xp.backends.takeover import NATIVE, Step, found_in, register
from eplb_xp.types import Array


class NumPy(Standard):
    """NumPy: as the standard has it, with its own scan and scatter."""

    def __init__(self) -> None:
        super().__init__(np)

    @property
    def index_dtype(self) -> Any:
        return np.int64

    def is_real(self, x: Array) -> bool:
        return x.dtype.kind in "iuf" or _is_added(x.dtype, np.float32)

    def is_integer(self, x: Array) -> bool:
        return x.dtype.kind in "iu" or _is_added(x.dtype, np.int8)

    def largest_integer(self, x: Array) -> int:
        return int(np.iinfo(x.dtype if x.dtype.kind in "iu" else np.int8).max)

    def is_readable(self, x: Array) -> bool:
        return True

    def to_numpy(self, x: Array) -> np.ndarray[Any, Any]:
        # Some of the small floats have no zero, no infinity or no NaN to compare with, and no index is an int4.
        for known in (np.int8, np.float32) if x.dtype.isbuiltin == 2 else ():
            if _is_added(x.dtype, known):
                return x.astype(known)
        return x

    def float32(self, x: Array) -> Array:
        if x.dtype == np.float32:
            return np.asarray(x)  # a matrix would multiply in its own way
        with np.errstate(all="ignore"):
            return np.asarray(x, dtype=np.float32)

    def arange(self, number: int, like: Array) -> Array:
        return np.arange(number)

    def reciprocal_of_binade(self, x: Array) -> Array:
        return (TWICE_ONE - (x.view(np.int32) & EXPONENT)).view(np.float32)

    def running_minimum(self, x: Array) -> Array:
        return np.minimum.accumulate(x, axis=-1)

    def running_sum(self, x: Array) -> Array:
        return np.add.accumulate(x, axis=-1)

    # NumPy's own functions along an axis take three times as long, and its stable argsort ten times.

    def take_along_axis(self, x: Array, indices: Array) -> Array:
        return x.reshape(-1).take(_in_line(indices, x))

    def put_along_axis(self, x: Array, indices: Array, values: Array) -> Array:
        x = x.copy()
        x.reshape(-1)[_in_line(indices, x)] = values
        return x

    def sort_rows(self, key: Array, tag: Array, *, descending: bool = False) -> tuple[Array, Array]:
        bits = key.view(np.int32)
        line = (-bits if descending else bits).astype(np.int64)
        line <<= 32
        line |= tag
        line.sort(axis=-1)
        bits = (line >> 32).astype(np.int32)
        line &= 2**32 - 1
        return (-bits if descending else bits).view(np.float32), line

    def call(self, step: Step, *arrays: Array, **sizes: Any) -> Any:
        # As the other libraries, whatever the caller's error state: overflow and 0 / 0 are no errors.
        with np.errstate(all="ignore"):
            return super().call(step, *arrays, **sizes)


LIBRARY = NumPy()


# Native code is looked for with the first step.
for _module, _steps in {
    "from_numpy": (pipeline.plan, pipeline.place, pipeline.pack_items, pipeline.replicate_loads),
    "follows_from_numpy": SEARCHES,
    "shares_from_numpy": (prepared.prepare, shares.share, shares.share_of_plan),
    "routes_from_numpy": (quotas.quotas, quotas.quotas_of_rank, route.route_in_turn, route.route_by_quota),
}.items():
    for _step in _steps:
        register(NumPy, _step, found_in(_module, _step.__name__), form=NATIVE)


def _is_added(dtype: np.dtype[Any], known: type[np.generic]) -> bool:
    """Whether a dtype is none of NumPy's own, as bfloat16, float8_e4m3fn and int4, and exact in one that is.

    They are ml_dtypes', and JAX arrays turn into them.
    """
    return dtype.isbuiltin == 2 and np.can_cast(dtype, known)


def _in_line(indices: Array, x: Array) -> Array:
    """Indices of each row as indices of all rows one after the other."""
    rows, width = x.shape
    return indices + np.arange(0, rows * max(width, 1), max(width, 1))[:, None]
