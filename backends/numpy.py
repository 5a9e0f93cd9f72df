"""NumPy."""

from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Step
from eplb_xp.types import Array


class NumPy(Standard):
    """NumPy: as the standard has it, with its own scan and scatter."""

    def __init__(self) -> None:
        super().__init__(xp)

    def is_real(self, x: Array) -> bool:
        # ml_dtypes' bfloat16, which JAX arrays turn into, is no dtype of NumPy's own.
        return x.dtype.kind in "iuf" or x.dtype.name == "bfloat16"

    def is_readable(self, x: Array) -> bool:
        return True

    def to_numpy(self, x: Array) -> np.ndarray[Any, Any]:
        return x

    def float32(self, x: Array) -> Array:
        return np.asarray(x, dtype=np.float32)  # a matrix would multiply in its own way

    def running_minimum(self, x: Array) -> Array:
        return np.minimum.accumulate(x, axis=-1)

    def put_along_axis(self, x: Array, indices: Array, values: Array) -> Array:
        x = x.copy()
        np.put_along_axis(x, indices, values, axis=-1)
        return x

    def call(self, step: Step, *arrays: Array, **sizes: Any) -> Any:
        # As the other libraries, whatever the caller's error state: overflow and 0 / 0 are no errors.
        with np.errstate(all="ignore"):
            return super().call(step, *arrays, **sizes)


LIBRARY = NumPy()
