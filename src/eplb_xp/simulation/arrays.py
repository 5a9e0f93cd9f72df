"""Traces as NumPy has them."""

from typing import Any, TypeAlias

import numpy as np

from eplb_xp.backends import library_of
from eplb_xp.checks import check_values

Numbers: TypeAlias = np.ndarray[Any, Any]


def as_trace(trace: Any) -> Numbers:
    """The tokens [steps, layers, experts] of any library, checked, in host memory."""
    lib = library_of("trace", trace)
    if not lib.is_real(trace):
        raise TypeError(f"trace must be of integers or real floats, got dtype {trace.dtype}")
    if len(trace.shape) != 3 or 0 in tuple(trace.shape):
        raise ValueError(f"trace must be [steps, layers, experts], none of them 0, got shape {tuple(trace.shape)}")
    check_values(lib, trace)
    values: Numbers = lib.to_numpy(trace)
    return values if values.dtype.kind in "iu" else values.astype(np.float64)


def means(values: Numbers, busy: Numbers) -> float | None:
    """The mean of what is busy, where anything is."""
    return float(values[busy].mean()) if busy.any() else None
