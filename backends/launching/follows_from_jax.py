"""Plans that follow others, or are for samples, for JAX arrays: by kernels, or by native code, as primitives."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.following import follow as once_written
from eplb_xp.backends.launching import from_jax, xla
from eplb_xp.backends.launching.following import Launch, launch
from eplb_xp.backends.launching.primitives import Way, is_switched_off, primitive, taken
from eplb_xp.backends.launching.searching import STEPS, Results
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import NATIVE, TRITON, Refusal, Step
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array


def take(step: Step, lib: Standard, *arrays: jax.Array, **settings: Any) -> Any:
    """What the step returns, by kernels on NVIDIA GPUs, native code on CPUs, or why the once-written code takes it."""
    reasons = {NATIVE: _refusal_of_native_code(step, arrays[-1], **settings)}
    if step in KERNELS:
        reasons = {TRITON: _refusal_of_kernels(arrays[-1], **settings), **reasons}
    return taken(lib, _CALLS[step], *arrays, reasons=reasons, **settings)


def _refusal_of_kernels(weight: jax.Array, **settings: Any) -> Refusal | None:
    how = is_switched_off(TRITON) or _launch(weight, **settings)
    return how if isinstance(how, Refusal) else from_jax.refusal(weight)


def _refusal_of_native_code(step: Step, weight: jax.Array, *, sizes: Sizes, **settings: Any) -> Refusal | None:
    reason = xla.refusal(weight, sizes)
    if reason is not None:
        return reason
    told = STEPS[step].numbers(weight.shape, sizes=sizes, **settings)
    return told if isinstance(told, Refusal) else None


def _launch(weight: Any, *, sizes: Sizes, policy: Policy, far_cost: int, **_: Any) -> Launch | Refusal:
    return launch(weight.shape, sizes, policy, far_cost)


def _by_kernels(*arrays: Array, lib: Standard, **settings: Any) -> tuple[Array, ...]:
    previous, budget, min_gain, weight = arrays
    how = _launch(weight, **settings)
    if isinstance(how, Refusal):  # of a whole batch
        return tuple(once_written.follow(lib, *arrays, **settings))

    from jax_triton import triton_call  # noqa: PLC0415 # as in `from_jax.missing`

    from eplb_xp.backends.kernels.following.beginning import begin  # noqa: PLC0415
    from eplb_xp.backends.kernels.following.follow import follow as choose  # noqa: PLC0415
    from eplb_xp.backends.kernels.following.path import walk  # noqa: PLC0415
    from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

    sizes = how.sizes
    call = functools.partial(triton_call, enable_fp_fusion=False)
    shapes = [jax.ShapeDtypeStruct((words,), jnp.int32) for words in how.words]
    of_begin, of_wide, of_narrow, of_choose = how.programs
    given = (previous.astype(lib.index_dtype), budget, from_jax.as_loads(weight), sizes.experts, 1)
    layers = call(*given, kernel=begin, out_shape=shapes[0], grid=of_begin, num_warps=4, S=Static(sizes))
    walked = functools.partial(call, kernel=walk, num_warps=sizes.warps)
    wide = walked(layers, layers, out_shape=shapes[1], grid=of_wide, S=Static(sizes))
    narrow = walked(layers, wide, out_shape=shapes[2], grid=of_narrow, S=Static(how.of_narrow))
    maps = [jax.ShapeDtypeStruct(*result) for result in _results(once_written.follow, *arrays, lib=lib, **settings)]
    found = call(
        *(min_gain, layers, wide, narrow),
        kernel=choose,
        out_shape=(shapes[3], *maps),
        grid=of_choose,
        num_warps=4,
        S=Static(sizes),
    )
    return tuple(found[1:])


def _or_renewed_by_kernels(*arrays: Array, lib: Standard, **settings: Any) -> tuple[Array, ...]:
    """The search by them; whether a fresh plan is better is found by the once-written code."""
    previous, budget, min_gain, fresh, weight = arrays
    none = jnp.zeros_like(min_gain)
    slots, *_ = _by_kernels(previous, budget, none, weight, lib=lib, **settings)
    return tuple(once_written.or_renewed(lib, previous, budget, min_gain, fresh, slots, weight, **settings))


def _results(step: Step, *arrays: Any, lib: Standard, **settings: Any) -> Results:
    return STEPS[step].results(arrays[-1].shape, lib.index_dtype, **settings)


def _by_once_written(step: Step, *arrays: Array, lib: Standard, **settings: Any) -> tuple[Array, ...]:
    return tuple(step(lib, *arrays, **settings))


def _call(step: Step) -> Step:
    """The step by a primitive of its name."""
    bind = primitive(
        step.__name__,
        functools.partial(_results, step),
        once_written=functools.partial(_by_once_written, step),
        kernels=KERNELS.get(step),
        native=functools.partial(xla.take, step),
    )

    def call(lib: Standard, *arrays: Array, **settings: Any) -> Any:
        return STEPS[step].pack(*bind(*arrays, lib=lib, **settings))

    call.__name__ = step.__name__  # which programs have in their text
    return call


KERNELS: dict[Step, Way] = {once_written.follow: _by_kernels, once_written.follow_or_renew: _or_renewed_by_kernels}
_CALLS = {step: _call(step) for step in STEPS}
