"""Steps of JAX arrays as primitives, for which there are several ways: kernels, native code and the once-written code.

A tracer has no device. So all ways are one primitive while JAX transforms a program, and which of them it becomes is
settled when the program is compiled for a platform: the kernels for NVIDIA GPUs, native code for CPUs, else the
once-written code. Only that one is traced.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir
from jax.sharding import NamedSharding, PartitionSpec

from eplb_xp.backends.launching import compiling, from_numpy, keeping
from eplb_xp.backends.launching.varying import as_others
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import NATIVE, SWITCH, TRITON, Refusal, is_switched_on
from eplb_xp.types import Array

# A way to take a step: arrays, of which the first axis is that of layers, the library, and settings by name.
Way = Callable[..., Sequence[Array]]
# The shapes and dtypes of its results, given those of the arrays and the same settings.
Results = Callable[..., Sequence[tuple[tuple[int, ...], Any]]]


def primitive(
    name: str, results: Results, *, once_written: Way, kernels: Way | None = None, native: Way | None = None
) -> Callable[..., list[Array]]:
    """The step, whichever way; other forms than the once-written code only as far as they are named."""
    step = Primitive(f"eplb_xp_{name}")
    step.multiple_results = True
    step.def_impl(functools.partial(_at_once, step))
    step.def_abstract_eval(functools.partial(_abstract, results))
    batching.primitive_batchers[step] = functools.partial(_batched, step)
    mlir.register_lowering(step, functools.partial(_lowered, by=once_written))
    if kernels is not None:
        lowered = functools.partial(_lowered_for_cuda, once_written=once_written, kernels=kernels)
        mlir.register_lowering(step, lowered, platform="cuda")
    if native is not None:
        lowered = functools.partial(_lowered_for_cpu, once_written=once_written, native=native)
        mlir.register_lowering(step, lowered, platform="cpu")

    def bind(*arrays: Array, lib: Standard, forms: tuple[str, ...] = (TRITON,), **settings: Any) -> list[Array]:
        is_x64 = lib.index_dtype == jnp.int64
        given = as_others(map(lax.stop_gradient, arrays))
        found: list[Array] = step.bind(*given, lib=lib, forms=forms, is_x64=is_x64, **settings)
        return found

    return bind


def taken(
    lib: Standard, call: Callable[..., Any], *arrays: jax.Array, reasons: dict[str, Refusal | None], **settings: Any
) -> Any:
    """A step by its primitive, in the forms that have no reason not to take it; or why the once-written code does."""
    refusal = refused(reasons)
    if refusal is not None:
        return refusal
    forms = tuple(form for form, reason in reasons.items() if reason is None)
    threads = from_numpy.threads() if NATIVE in forms else 1
    return lib.call(call, *arrays, forms=forms, threads=threads, **settings)


def refused(reasons: dict[str, Refusal | None]) -> Refusal | None:
    """Why no form takes a step, if each has a reason."""
    all_of_them = [reason.reason for reason in reasons.values() if reason is not None]
    return Refusal("; ".join(dict.fromkeys(all_of_them))) if len(all_of_them) == len(reasons) else None


def first_refusal(reasons: Iterable[Refusal | None]) -> Refusal | None:
    """The first that there is."""
    return next((reason for reason in reasons if reason is not None), None)


def is_switched_off(form: str) -> Refusal | None:
    """Whether the environment names other forms only."""
    return None if is_switched_on(form) else Refusal(f"{SWITCH} does not name {form}")


def is_explicit(weight: jax.Array) -> Refusal | None:
    """Whether axes are explicit, for which a primitive has no rules."""
    if jax.typeof(weight).sharding.mesh.explicit_axes:
        return Refusal("the loads are sharded over explicit axes of a mesh")
    return None


def _abstract(results: Results, *avals: Any, **settings: Any) -> list[Any]:
    """The results' types: in shard_map they vary over the mesh axes that the loads, which come last, vary over."""
    whole = NamedSharding(avals[-1].sharding.mesh, PartitionSpec())
    return [
        avals[-1].update(shape=shape, dtype=dtype, weak_type=False, sharding=whole)
        for shape, dtype in results(*avals, **settings)
    ]


def _at_once(step: Primitive, *arrays: jax.Array, **settings: Any) -> Any:
    """The results where nothing is traced, as inside of jax.disable_jit."""
    with jax.disable_jit(False):
        return jax.jit(functools.partial(step.bind, **settings))(*arrays)


def _batched(
    step: Primitive, arrays: Sequence[Array], axes: Sequence[int | None], **settings: Any
) -> tuple[list[Array], list[int]]:
    """A batch as so many times the layers."""
    batch = next(x.shape[axis] for x, axis in zip(arrays, axes, strict=True) if axis is not None)
    each = [
        jnp.broadcast_to(x[None], (batch, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(arrays, axes, strict=True)
    ]
    found = step.bind(*(jnp.reshape(x, (batch * x.shape[1], *x.shape[2:])) for x in each), **settings)
    return [jnp.reshape(x, (batch, x.shape[0] // batch, *x.shape[1:])) for x in found], [0] * len(found)


def _lowered(
    ctx: mlir.LoweringRuleContext,
    *arrays: Any,
    by: Way,
    is_x64: bool,
    forms: tuple[str, ...],
    threads: int = 1,
    **settings: Any,
) -> Any:
    """A way, with indices as they were where the program was traced."""
    del forms, threads
    with jax.enable_x64(is_x64):
        return mlir.lower_fun(by, multiple_results=True)(ctx, *arrays, **settings)


def _lowered_for_cpu(
    ctx: mlir.LoweringRuleContext, *arrays: Any, once_written: Way, native: Way, **settings: Any
) -> Any:
    by = functools.partial(native, threads=settings["threads"]) if NATIVE in settings["forms"] else once_written
    return _lowered(ctx, *arrays, by=once_written if _is_exported(ctx) else by, **settings)


def _lowered_for_cuda(
    ctx: mlir.LoweringRuleContext, *arrays: Any, once_written: Way, kernels: Way, **settings: Any
) -> Any:
    if TRITON not in settings["forms"] or _is_exported(ctx):
        return _lowered(ctx, *arrays, by=once_written, **settings)
    with compiling.quickly(), keeping.kept():
        return _lowered(ctx, *arrays, by=kernels, **settings)


def _is_exported(ctx: mlir.LoweringRuleContext) -> bool:
    """What is exported must run on other machines and with other versions, which other forms in a program need not."""
    return bool(ctx.module_context.lowering_parameters.for_export)
