"""Routes of JAX arrays by the kernels of `kernels/routing`, as primitives."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.routing import route
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching.primitives import primitive
from eplb_xp.backends.launching.routing import Launch, launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.types import Array


def route_in_turn(lib: Standard, *arrays: jax.Array) -> tuple[jax.Array] | Refusal:
    """The slots, by the kernels where they are found on an NVIDIA GPU, or why the once-written code finds them."""
    return lib.call(_route_in_turn, *arrays) if (reason := _refusal(lib, *arrays)) is None else reason


def route_by_quota(lib: Standard, *arrays: jax.Array) -> tuple[jax.Array] | Refusal:
    """The same with quotas, which come first."""
    return lib.call(_route_by_quota, *arrays) if (reason := _refusal(lib, *arrays)) is None else reason


def _refusal(lib: Standard, *arrays: jax.Array) -> Refusal | None:
    """Why the kernels may not run, if they may not."""
    how = _launch(lib, *jax.eval_shape(_in_rows, arrays))
    if isinstance(how, Refusal):
        return how
    return next((reason for reason in map(from_jax.refusal, arrays) if reason is not None), None)


def _launch(lib: Standard, *rows: Any) -> Launch | Refusal:
    """How to route rows, with quotas in front of four arrays or without."""
    log2phy, logcnt, first, experts = rows[-4:]
    return launch(
        (experts.shape[0], math.prod(experts.shape[1:])),
        log2phy.shape[-1],
        logcnt.shape[-1],
        by_quota=len(rows) > 4,
        has_first=first.shape[-1] > 0,
        index_bits=8 * jnp.dtype(lib.index_dtype).itemsize,
    )


def _in_rows(arrays: Sequence[Array]) -> list[Array]:
    """All dimensions in front as one, which is there even if they are none."""
    front = arrays[-1].shape[:-2]
    return [jnp.reshape(x, (math.prod(front), *x.shape[len(front) :])) for x in arrays]


def _results(*rows: Any, **_: Any) -> Sequence[tuple[tuple[int, ...], Any]]:
    log2phy, _, _, experts = rows[-4:]
    return ((experts.shape, log2phy.dtype),)


def _in_turn(*rows: Array, lib: Standard) -> tuple[Array, ...]:
    return route.route_in_turn(lib, *rows)


def _by_quota(*rows: Array, lib: Standard) -> tuple[Array, ...]:
    return route.route_by_quota(lib, *rows)


def _by_kernels(*rows: Array, lib: Standard) -> tuple[Array, ...]:
    how = _launch(lib, *rows)
    if isinstance(how, Refusal):  # of a whole batch
        return (_by_quota if len(rows) > 4 else _in_turn)(*rows, lib=lib)

    from jax_triton import triton_call  # noqa: PLC0415 # as in `from_jax.missing`

    from eplb_xp.backends.kernels.routing import route as kernels  # noqa: PLC0415
    from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

    log2phy, logcnt, first, experts = map(from_jax.as_loads, rows[-4:])
    quota = from_jax.as_loads(rows[0]) if how.sizes.by_quota else logcnt  # what isn't read is another
    first = first if how.sizes.has_first else logcnt
    tokens = math.prod(experts.shape[1:])
    grid = (how.programs, experts.shape[0])
    call = functools.partial(triton_call, grid=grid, enable_fp_fusion=False, S=Static(how.sizes))
    scratch: tuple[Array, ...] = ()
    if how.entries:
        shape = jax.ShapeDtypeStruct((how.entries,), jnp.int16)
        scratch = (call(experts, tokens, kernel=kernels.count, out_shape=shape, num_warps=how.sizes.count_warps),)
    slots = call(
        *(quota, log2phy, logcnt, first, experts, tokens, *scratch),
        kernel=kernels.route if how.entries else kernels.route_few,
        out_shape=jax.ShapeDtypeStruct(experts.shape, log2phy.dtype),
        num_warps=how.sizes.warps,
    )
    return (slots.astype(rows[-4].dtype),)


_routed_in_turn = primitive("route_in_turn", _results, once_written=_in_turn, kernels=_by_kernels)
_routed_by_quota = primitive("route_by_quota", _results, once_written=_by_quota, kernels=_by_kernels)


def _route_in_turn(lib: Standard, *arrays: Array) -> tuple[Array]:
    (slots,) = _routed_in_turn(*_in_rows(arrays), lib=lib)
    return (jnp.reshape(slots, arrays[-1].shape),)


def _route_by_quota(lib: Standard, *arrays: Array) -> tuple[Array]:
    (slots,) = _routed_by_quota(*_in_rows(arrays), lib=lib)
    return (jnp.reshape(slots, arrays[-1].shape),)
