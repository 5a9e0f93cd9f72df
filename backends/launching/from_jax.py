"""Plans for JAX arrays by the kernels of `kernels/` or the native code of `native/`, as one primitive."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms import pipeline
from eplb_xp.backends.launching import compiling, xla
from eplb_xp.backends.launching.launch import DTYPES, launch
from eplb_xp.backends.launching.primitives import is_explicit, is_switched_off, primitive, taken
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import NATIVE, TRITON, Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan

_launch = functools.lru_cache(maxsize=1024)(launch)


def plan(lib: Standard, weight: jax.Array, *, sizes: Sizes, policy: Policy) -> Plan[jax.Array] | Refusal:
    """The plan, by kernels on NVIDIA GPUs, native code on CPUs, or why the once-written code makes it anywhere."""
    how = is_switched_off(TRITON) or refusal(weight) or _launch(*weight.shape, sizes, policy)
    reasons = {TRITON: how if isinstance(how, Refusal) else None, NATIVE: xla.refusal(weight, sizes)}
    return taken(lib, _plan, weight, reasons=reasons, sizes=sizes, policy=policy)


def refusal(weight: jax.Array) -> Refusal | None:
    """Why no kernel may run on these loads, if it may not."""
    reason = missing()
    return Refusal(reason) if reason is not None else is_explicit(weight)


@functools.cache
def missing() -> str | None:
    """What the kernels lack in this process, if anything."""
    try:
        jax.devices("cuda")
    except RuntimeError:
        return "the kernels need an NVIDIA GPU, and JAX finds none"
    try:
        with compiling.folder_kept():
            import jax_triton  # noqa: PLC0415 # a second, and only where there is a GPU
            import triton  # noqa: F401, PLC0415
    except (ImportError, AttributeError) as error:
        return f"the kernels need jax-triton and Triton, install the extra 'cuda': {error}"
    if not jax_triton.__version__.startswith("0.3."):
        return f"the kernels need jax-triton 0.3, whose calls later ones changed, and {jax_triton.__version__} is there"
    return None


def as_loads(weight: Array) -> Array:
    """Loads of a dtype that Triton has pointers to."""
    if weight.dtype.name in DTYPES:
        return weight
    return weight.astype(jnp.int32 if jnp.issubdtype(weight.dtype, jnp.integer) else jnp.float32)


def _plan(lib: Standard, weight: Array, **settings: Any) -> Plan[Array]:
    return Plan(*_planned(weight, lib=lib, **settings))


def _results(weight: Any, *, lib: Standard, sizes: Sizes, **_: Any) -> Sequence[tuple[tuple[int, ...], Any]]:
    layers, experts = weight.shape
    return [(shape, lib.index_dtype) for shape in sizes.map_shapes(layers, experts)]


def _by_once_written(weight: Array, *, lib: Standard, sizes: Sizes, policy: Policy, **_: Any) -> tuple[Array, ...]:
    return tuple(pipeline.plan(lib, weight, sizes=sizes, policy=policy))


def _by_kernels(weight: Array, *, lib: Standard, sizes: Sizes, policy: Policy, **_: Any) -> tuple[Array, ...]:
    layers, experts = weight.shape
    how = _launch(layers, experts, sizes, policy)
    if isinstance(how, Refusal):  # of a whole batch
        return _by_once_written(weight, lib=lib, sizes=sizes, policy=policy)

    from jax_triton import triton_call  # noqa: PLC0415 # as in `missing`

    from eplb_xp.backends.kernels.in_place import choose_in_place, improve_in_place  # noqa: PLC0415
    from eplb_xp.backends.kernels.prepare import prepare  # noqa: PLC0415
    from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

    results = (
        *(jax.ShapeDtypeStruct(*result) for result in _results(weight, lib=lib, sizes=sizes)),
        jax.ShapeDtypeStruct((how.words,), jnp.int32),
    )
    call = functools.partial(triton_call, out_shape=results, enable_fp_fusion=False, S=Static(how.shape))
    loads = as_loads(weight)
    first, *others = how.kernels
    maps = call(loads, experts, 1, kernel=prepare, grid=first.programs, num_warps=first.warps)
    kernels, same = {"improve": improve_in_place, "choose": choose_in_place}, {i: i for i in range(len(results))}
    for each in others:
        kernel = kernels[each.kernel]
        maps = call(*maps, kernel=kernel, grid=each.programs, num_warps=each.warps, input_output_aliases=same)
    return tuple(maps[:3])


def _by_native_code(weight: Array, *, lib: Standard, sizes: Sizes, **settings: Any) -> tuple[Array, ...]:
    return xla.plan(lib.float32(weight), _results(weight, lib=lib, sizes=sizes), sizes=sizes, **settings)


_planned = primitive("plan", _results, once_written=_by_once_written, kernels=_by_kernels, native=_by_native_code)
