"""Plans for JAX arrays by the kernels of `kernels/`, as one primitive.

A tracer has no device. So both ways to plan are one primitive while JAX transforms a program, and which of them
it becomes is settled when the program is compiled for a platform: the kernels for NVIDIA GPUs, else the
once-written code. Only that one is traced.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir
from jax.sharding import NamedSharding, PartitionSpec

from eplb_xp.algorithms import pipeline
from eplb_xp.backends.launching import compiling
from eplb_xp.backends.launching.launch import DTYPES, launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan

_launch = functools.lru_cache(maxsize=1024)(launch)


def plan(lib: Standard, weight: jax.Array, *, sizes: Sizes, policy: Policy) -> Plan[jax.Array] | Refusal:
    """The plan, by kernels where it is made on an NVIDIA GPU, or why the once-written code makes it anywhere."""
    reason = missing()
    if reason is not None:
        return Refusal(reason)
    if jax.typeof(weight).sharding.mesh.explicit_axes:
        return Refusal("the loads are sharded over explicit axes of a mesh")
    layers, experts = weight.shape
    how = _launch(layers, experts, sizes, policy)
    if isinstance(how, Refusal):
        return how
    return lib.call(_plan, weight, sizes=sizes, policy=policy)


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


def _plan(lib: Standard, weight: Array, *, sizes: Sizes, policy: Policy) -> Plan[Array]:
    return Plan(*_planned.bind(lax.stop_gradient(weight), lib=lib, sizes=sizes, policy=policy))


def _results(weight: Any, *, lib: Standard, sizes: Sizes, **_: Any) -> list[Any]:
    """The maps' types: in shard_map they vary over the mesh axes that the loads vary over."""
    layers, experts = weight.shape
    width = sizes.max_replicas or sizes.num_replicas - experts + 1
    whole = NamedSharding(weight.sharding.mesh, PartitionSpec())
    return [
        weight.update(shape=shape, dtype=lib.index_dtype, weak_type=False, sharding=whole)
        for shape in ((layers, sizes.num_replicas), (layers, experts, width), (layers, experts))
    ]


def _at_once(weight: jax.Array, **settings: Any) -> Any:
    """The maps where nothing is traced, as inside of jax.disable_jit."""
    with jax.disable_jit(False):
        return jax.jit(functools.partial(_planned.bind, **settings))(weight)


def _batched(loads: Sequence[Array], axes: Sequence[int], **settings: Any) -> tuple[list[Array], list[int]]:
    """A batch of loads as so many times the layers."""
    weight = jnp.moveaxis(loads[0], axes[0], 0)
    batch, layers, experts = weight.shape
    maps = _planned.bind(jnp.reshape(weight, (batch * layers, experts)), **settings)
    return [jnp.reshape(x, (batch, layers, *x.shape[1:])) for x in maps], [0] * len(maps)


def _by_once_written(weight: Array, *, lib: Standard, sizes: Sizes, policy: Policy) -> tuple[Array, ...]:
    return tuple(pipeline.plan(lib, weight, sizes=sizes, policy=policy))


def _by_kernels(weight: Array, *, lib: Standard, sizes: Sizes, policy: Policy) -> tuple[Array, ...]:
    layers, experts = weight.shape
    how = _launch(layers, experts, sizes, policy)
    if isinstance(how, Refusal):  # of a whole batch
        return _by_once_written(weight, lib=lib, sizes=sizes, policy=policy)

    from jax_triton import triton_call  # noqa: PLC0415 # as in `missing`

    from eplb_xp.backends.kernels.in_place import choose_in_place, improve_in_place  # noqa: PLC0415
    from eplb_xp.backends.kernels.prepare import prepare  # noqa: PLC0415
    from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

    if weight.dtype.name not in DTYPES:
        weight = weight.astype(jnp.float32)
    shape = how.shape
    results = (
        jax.ShapeDtypeStruct((layers, shape.layer_slots), lib.index_dtype),
        jax.ShapeDtypeStruct((layers, experts, shape.width), lib.index_dtype),
        jax.ShapeDtypeStruct((layers, experts), lib.index_dtype),
        jax.ShapeDtypeStruct((how.words,), jnp.int32),
    )
    call = functools.partial(triton_call, out_shape=results, enable_fp_fusion=False, S=Static(shape))
    maps = call(weight, experts, 1, kernel=prepare, grid=how.prepare_programs, num_warps=how.prepare_warps)
    for kernel, programs in ((improve_in_place, how.improve_programs), (choose_in_place, how.choose_programs)):
        if programs:
            same = {i: i for i in range(len(maps))}
            maps = call(*maps, kernel=kernel, grid=programs, num_warps=how.warps, input_output_aliases=same)
    return tuple(maps[:3])


def _lowered(ctx: mlir.LoweringRuleContext, weight: Any, *, by: Callable[..., Any], **settings: Any) -> Any:
    """A way to plan, with indices as they were where the program was traced."""
    with jax.enable_x64(ctx.avals_out[0].dtype == jnp.int64):
        return mlir.lower_fun(by, multiple_results=True)(ctx, weight, **settings)


def _lowered_for_cuda(ctx: mlir.LoweringRuleContext, weight: Any, **settings: Any) -> Any:
    # What is exported must run on other GPUs and with other versions, which kernels in a program need not.
    is_exported = ctx.module_context.lowering_parameters.for_export
    with compiling.LOCK:
        return _lowered(ctx, weight, by=_by_once_written if is_exported else _by_kernels, **settings)


_planned = Primitive("eplb_xp_plan")
_planned.multiple_results = True
_planned.def_impl(_at_once)
_planned.def_abstract_eval(_results)
batching.primitive_batchers[_planned] = _batched
mlir.register_lowering(_planned, functools.partial(_lowered, by=_by_once_written))
mlir.register_lowering(_planned, _lowered_for_cuda, platform="cuda")
