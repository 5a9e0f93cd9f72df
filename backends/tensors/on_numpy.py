"""Tensors in host memory are left to NumPy, which works on the same memory.

A step is some hundred small operations. Each costs NumPy a fifth of what it costs torch, and no threads are
woken for it, which on busy cores can take longer than the step.
"""

from typing import Any

import numpy as np
import torch

from eplb_xp.backends import numpy
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal, Step

# Floats that NumPy has too.
FLOATS = (torch.float16, torch.float32, torch.float64)


def on_numpy(step: Step, _: Standard, *tensors: torch.Tensor, **sizes: Any) -> Any:
    """The step by NumPy, or a refusal."""
    if any(tensor.device.type != "cpu" for tensor in tensors):
        return Refusal("the tensors are not in host memory")
    result = numpy.LIBRARY.run(step, *map(as_numpy, tensors), **sizes)
    arrays = map(torch.from_numpy, result)
    return type(result)(*arrays) if hasattr(result, "_fields") else tuple(arrays)


def as_numpy(x: torch.Tensor) -> np.ndarray[Any, Any]:
    """The values of a tensor that has some, cut off from gradients."""
    return (x.float() if x.is_floating_point() and x.dtype not in FLOATS else x).numpy(force=True)
