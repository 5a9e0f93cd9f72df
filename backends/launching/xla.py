"""Plans by the native code of `native/` inside of XLA's programs on a CPU."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import ffi

from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.launching.follows_from_numpy import Numbers
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array

# What XLA calls each step.
TARGETS = {"plan": "eplb_xp_plan", "follow": "eplb_xp_follow"}

# A shape, and a dtype.
Result = tuple[tuple[int, ...], Any]


def refusal(sizes: Sizes) -> Refusal | None:
    """Why native code may not plan inside of a program, if it may not."""
    native = from_numpy.extension_for(sizes)
    return native if isinstance(native, Refusal) else registered()


@functools.cache
def registered() -> Refusal | None:
    """Tell XLA of the handlers, once; or why XLA doesn't take them."""
    try:
        for step, handler in from_numpy.extension().xla_handlers().items():
            ffi.register_ffi_target(TARGETS[step], handler, platform="cpu", api_version=1)
    except Exception as error:  # of jaxlib's own class
        return Refusal(f"this jaxlib does not take native code: {error}")
    return None


def plan(load: Array, results: Sequence[Result], *, sizes: Sizes, policy: Policy, threads: int) -> tuple[Array, ...]:
    """The maps of a plan for loads of float32, of these shapes and dtypes."""
    integers, reals, strides = from_numpy.shape_of(load.shape[1], sizes, policy)
    return _called("plan", [load], results, threads, integers=integers, reals=reals, strides=strides)


def follow(arrays: Sequence[Array], results: Sequence[Result], *, numbers: Numbers, threads: int) -> tuple[Array, ...]:
    """The maps of a plan that follows another, for arrays as `follow.follow` has them, indices and float32."""
    return _called("follow", arrays, results, threads, **numbers._asdict())


def _called(
    step: str, arrays: Sequence[Array], results: Sequence[Result], threads: int, **numbers: np.ndarray[Any, Any]
) -> tuple[Array, ...]:
    """What a handler writes, which is given numbers in the order of their names, and then that of threads."""
    call = ffi.ffi_call(TARGETS[step], [jax.ShapeDtypeStruct(*result) for result in results])
    return tuple(call(*arrays, **numbers, threads=np.array([threads], np.int32)))
