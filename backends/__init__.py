"""What differs between array libraries; README.md says how to add one."""

import sys
from typing import Any

import array_api_compat
import numpy as np

from eplb_xp.backends.standard import Standard
from eplb_xp.saving import name_to_torch


def library_of(name: str, x: Any) -> Standard:
    """The library of an array; none is imported unless an array of it is in hand.

    Raises
    ------
    TypeError
        Where ``x`` is no array of a library that follows the Array API standard.
    """
    if isinstance(x, np.ndarray):
        from eplb_xp.backends import numpy

        name_to_torch()
        return numpy.LIBRARY
    if _is_instance(x, "torch", "Tensor"):
        from eplb_xp.backends.tensors import kinds, library

        kinds.check_kind(name, x)
        return library.LIBRARY
    if _is_instance(x, "jax", "Array"):
        from eplb_xp.backends import jax

        return jax.LIBRARY
    if _is_instance(x, "torch.fx", "Proxy"):
        raise TypeError(
            f"{name} is a torch.fx.Proxy, which has no shape: make_fx, torch.export and torch.compile trace"
        )
    if array_api_compat.is_array_api_obj(x):
        return Standard(array_api_compat.array_namespace(x))
    raise TypeError(
        f"{name} must be an array of NumPy, JAX, PyTorch or another library of the Array API standard, "
        f"got {type(x).__name__}; numpy.asarray makes one"
    )


def _is_instance(x: Any, module: str, name: str) -> bool:
    """Whether ``x`` is of a class of a module that may not have been imported yet."""
    cls = getattr(sys.modules.get(module), name, None)
    return cls is not None and isinstance(x, cls)
