"""What loads must be, and what is said where they are not."""

import sys
from typing import Any

import numpy as np

from eplb_xp.arguments import explained
from eplb_xp.backends import library_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import A

LARGEST = float(np.finfo(np.float32).max)


@explained
def check_loads(weight: A) -> None:
    """Raise unless every load is finite, not negative and within float32.

    The planning functions check this themselves where reading the values costs nothing: for
    concrete arrays in host memory. They don't read device arrays, nor values that are being traced
    or compiled, because that would make the host wait; there such a load counts as zero.
    This function reads any array, from a device too.

    Parameters
    ----------
    weight : [layers, experts], integers or floats
        Tokens for each logical expert.

    Raises
    ------
    TypeError
        Where ``weight`` is no array, is not of real numbers, or is being traced.
    ValueError
        Where it is not of two dimensions, has no experts, or has such a load.

    Examples
    --------
    >>> import numpy as np
    >>> check_loads(np.array([[90.0, 132.0, np.nan]]))
    Traceback (most recent call last):
    ValueError: weight has 1 load that is NaN, infinite or negative, the first nan at [0, 2]; loads are token counts
    """
    check_values(check_array(weight), weight)


def check_array(weight: Any, items: str = "experts", *, samples: bool = False) -> Standard:
    """The library of the loads, perhaps of several samples, once their type, dtype and shape are known to do."""
    lib = library_of("weight", weight)
    if _is_masked(weight):
        raise TypeError("weight must not be a masked array; weight.filled(0) has no mask, and zero for what it hid")
    if not lib.is_real(weight):
        raise TypeError(f"weight must be of integers or real floats, got dtype {weight.dtype}")
    shape = tuple(weight.shape)
    if samples and len(shape) not in {2, 3}:
        raise ValueError(f"weight must be [layers, {items}] or [samples, layers, {items}], got shape {shape}")
    if not samples and len(shape) != 2:
        raise ValueError(f"weight must have two dimensions, [layers, {items}], got shape {shape}")
    if shape[-1] == 0:
        raise ValueError(f"weight must have at least one of {items}, got shape {shape}")
    if len(shape) == 3 and shape[0] == 0:
        raise ValueError(f"weight must have at least one sample, got shape {shape}")
    return lib


def check_values_if_free(lib: Standard, weight: Any) -> None:
    """The check of the values, where reading them costs nothing."""
    if lib.is_readable(weight):
        check_values(lib, weight)


def check_values(lib: Standard, weight: Any) -> None:
    """Every load is finite, not negative and within float32."""
    load = lib.to_numpy(weight)
    # Of what is in order a look at the ends tells all; a NaN is at both, and is neither. Where they are is found in a
    # third of the time that reductions to them take of few loads.
    if not load.size or (load.item(load.argmin()) >= 0 and load.item(load.argmax()) <= LARGEST):
        return
    _refuse(load, ~((load >= 0) & (load < np.inf)), "NaN, infinite or negative")
    if load.dtype.itemsize > 4:
        _refuse(load, load > LARGEST, f"above the largest float32, {LARGEST:.4g}")


def _is_masked(weight: Any) -> bool:
    """Whether it is a masked array: there is none unless its module is, which NumPy imports when it is named."""
    return "numpy.ma" in sys.modules and isinstance(weight, np.ma.MaskedArray)


def _refuse(load: "np.ndarray[Any, Any]", bad: "np.ndarray[Any, Any]", what: str) -> None:
    number = int(np.count_nonzero(bad))
    if number:
        at = tuple(int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
        loads = "load that is" if number == 1 else "loads that are"
        raise ValueError(
            f"weight has {number} {loads} {what}, the first {load[at]} at {list(at)}; loads are token counts"
        )
