"""Concrete arrays in host memory are left to NumPy, which has a plan before XLA has compiled one.

Under jax.jit arrays are traced, and XLA compiles the step: what is planned often belongs there.
"""

from typing import Any

import jax
import numpy as np

from eplb_xp.backends import numpy
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal, Step, take_over
from eplb_xp.policy import Policy

# Slots of all layers and starts, beyond which XLA has compiled and planned before NumPy has planned: 1,000 layers of
# 288 replicas with 64 starts, and of 384 on 128 GPUs where other counts are tried.
MOST_SLOTS = 2**23
MOST_SLOTS_WITH_LEVELS = 2**18
# The same of plans that follow others or are for samples, counted for each sample: 100 layers of 288 replicas.
MOST_SLOTS_FOLLOWED = 2**15


def on_numpy(step: Step, lib: Standard, *arrays: jax.Array, **sizes: Any) -> Any:
    """The step by NumPy, its results where the last array is, or a refusal."""
    if not all(lib.is_readable(x) and len(x.devices()) == 1 for x in arrays):
        return Refusal("the arrays are traced, or not in the memory of one host device")
    given = tuple(map(lib.to_numpy, arrays))
    result = take_over(numpy.LIBRARY, step, given, sizes)
    if isinstance(result, Refusal):
        if _is_quicker_compiled(*arrays[-1].shape[:2], **sizes):
            return Refusal("XLA compiles and plans for so many layers before NumPy has planned")
        result = numpy.LIBRARY.call(step, *given, **sizes)
    (device,) = arrays[-1].devices() if arrays[-1].committed else (None,)
    found = (x.astype(lib.index_dtype) if x.dtype == np.int64 else x for x in result)
    placed = (jax.device_put(x, device) for x in found)
    return type(result)(*placed) if hasattr(result, "_fields") else tuple(placed)


def _is_quicker_compiled(layers: int, items: int, *, policy: Policy | None = None, **sizes: Any) -> bool:
    """Whether the first call of the step, compiling included, takes XLA less time than NumPy."""
    if policy is None:
        return False
    if "divides" in sizes:
        return layers * items * sizes["sizes"].num_replicas > MOST_SLOTS_FOLLOWED
    slots = layers * (sizes["sizes"].num_replicas if "sizes" in sizes else items)
    return slots * policy.starts > MOST_SLOTS or (policy.levels > 0 and slots > MOST_SLOTS_WITH_LEVELS)
