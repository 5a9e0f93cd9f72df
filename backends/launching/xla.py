"""Plans by the native code of `native/` inside of XLA's programs on a CPU."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import ffi

from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array

TARGET = "eplb_xp_plan"


def refusal(sizes: Sizes) -> Refusal | None:
    """Why native code may not plan inside of a program, if it may not."""
    native = from_numpy.extension_for(sizes)
    return native if isinstance(native, Refusal) else registered()


@functools.cache
def registered() -> Refusal | None:
    """Tell XLA of the handler, once; or why XLA doesn't take it."""
    try:
        ffi.register_ffi_target(TARGET, from_numpy.extension().xla_handler(), platform="cpu", api_version=1)
    except Exception as error:  # of jaxlib's own class
        return Refusal(f"this jaxlib does not take native code: {error}")
    return None


def plan(
    load: Array, results: Sequence[tuple[tuple[int, ...], Any]], *, sizes: Sizes, policy: Policy, threads: int
) -> tuple[Array, ...]:
    """The maps of a plan for loads of float32, of these shapes and dtypes."""
    integers, floats, strides = from_numpy.shape_of(load.shape[1], sizes, policy)
    numbers = {"integers": integers, "floats": floats, "strides": strides, "threads": np.array([threads], np.int32)}
    return tuple(ffi.ffi_call(TARGET, [jax.ShapeDtypeStruct(*result) for result in results])(load, **numbers))
