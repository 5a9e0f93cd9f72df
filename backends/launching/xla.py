"""Plans, shares and routes by the native code of `native/` inside of XLA's programs on a CPU."""

import functools
from collections.abc import Sequence
from typing import Any, cast

import jax
import numpy as np
from jax import ffi

from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.launching.primitives import is_explicit, is_switched_off
from eplb_xp.backends.launching.searching import STEPS, Numbers, Results
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import NATIVE, Refusal, Step
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array

PREFIX = "eplb_xp_"  # of what XLA calls each step


def missing(array: Array) -> Refusal | None:
    """Why native code may not be called inside of a program that has such an array, if it may not."""
    reason = is_switched_off(NATIVE) or is_explicit(array)
    if reason is not None:
        return reason
    native = from_numpy.extension()
    return native if isinstance(native, Refusal) else registered()


def refusal(weight: Array, sizes: Sizes) -> Refusal | None:
    """Why it may not plan inside of a program, if it may not."""
    reason = missing(weight)
    if reason is not None:
        return reason
    native = from_numpy.extension_for(sizes)
    return native if isinstance(native, Refusal) else None


@functools.cache
def registered() -> Refusal | None:
    """Tell XLA of the handlers, once; or why XLA doesn't take them."""
    try:
        for step, handler in from_numpy.extension().xla_handlers().items():
            ffi.register_ffi_target(PREFIX + step, handler, platform="cpu", api_version=1)
    except Exception as error:  # of jaxlib's own class
        return Refusal(f"this jaxlib does not take native code: {error}")
    return None


def plan(load: Array, results: Results, *, sizes: Sizes, policy: Policy, threads: int) -> tuple[Array, ...]:
    """The maps of a plan for loads of float32, of these shapes and dtypes."""
    integers, reals, strides = from_numpy.shape_of(load.shape[1], sizes, policy)
    return called("plan", [load], results, threads, {"integers": integers, "reals": reals, "strides": strides})


def take(step: Step, *arrays: Array, lib: Standard, threads: int, **settings: Any) -> tuple[Array, ...]:
    """What a step returns that follows plans, or is for samples, and that native code does not refuse."""
    told, loads = STEPS[step], arrays[-1].shape
    given = [x.astype(lib.index_dtype if lib.is_integer(x) else np.float32) for x in arrays[:-1]]
    results = told.results(loads, lib.index_dtype, **settings)
    numbers = cast("Numbers", told.numbers(loads, **settings))
    return called(step.__name__, [*given, lib.float32(arrays[-1])], results, threads, numbers)


def called(step: str, arrays: Sequence[Array], results: Results, threads: int, numbers: Numbers) -> tuple[Array, ...]:
    """What a handler writes, which is given numbers in the order of their names, that of threads being the last."""
    call = ffi.ffi_call(PREFIX + step, [jax.ShapeDtypeStruct(*result) for result in results])
    return tuple(call(*arrays, **numbers, threads=np.array([threads], np.int32)))
