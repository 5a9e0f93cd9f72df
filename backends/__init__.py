"""What differs between array libraries; README.md says how to add one."""

import importlib
from typing import Any

import array_api_compat

from eplb_xp.backends.standard import Standard


def library_of(name: str, x: Any) -> Standard:
    """The library of an array; none is imported unless an array of it is in hand.

    Raises
    ------
    TypeError
        Where ``x`` is no array of a library that follows the Array API standard.
    """
    if array_api_compat.is_numpy_array(x):
        return _library("numpy")
    if array_api_compat.is_torch_array(x):
        return _library("torch")
    if array_api_compat.is_jax_array(x):
        return _library("jax")
    if hasattr(x, "__array_namespace__"):
        return Standard(array_api_compat.array_namespace(x))
    raise TypeError(
        f"{name} must be an array of NumPy, JAX, PyTorch or another library of the Array API standard, "
        f"got {type(x).__name__}; numpy.asarray makes one"
    )


def _library(module: str) -> Standard:
    return importlib.import_module(f"eplb_xp.backends.{module}").LIBRARY
