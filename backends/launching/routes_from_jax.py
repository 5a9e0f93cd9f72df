"""Routes of JAX arrays by the kernels of `kernels/routing` or the native code of `native/routing`, as primitives."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.routing import route
from eplb_xp.backends.launching import from_jax, xla
from eplb_xp.backends.launching.primitives import first_refusal, is_switched_off, primitive, taken
from eplb_xp.backends.launching.routes_from_numpy import route_shape
from eplb_xp.backends.launching.routing import Launch, launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import NATIVE, TRITON, Refusal
from eplb_xp.types import Array


def route_in_turn(lib: Standard, *arrays: jax.Array) -> tuple[jax.Array] | Refusal:
    """The slots, by the kernels on NVIDIA GPUs, native code on CPUs, or why the once-written code finds them."""
    return _taken(lib, _route_in_turn, *arrays)


def route_by_quota(lib: Standard, *arrays: jax.Array) -> tuple[jax.Array] | Refusal:
    """The same with quotas, which come first."""
    return _taken(lib, _route_by_quota, *arrays)


def _taken(lib: Standard, call: Any, *arrays: jax.Array) -> tuple[jax.Array] | Refusal:
    rows = jax.eval_shape(_in_rows, arrays)
    reasons = {TRITON: _refusal_of_kernels(lib, rows, arrays), NATIVE: _refusal_of_native_code(lib, rows, arrays)}
    found: tuple[jax.Array] | Refusal = taken(lib, call, *arrays, reasons=reasons)
    return found


def _refusal_of_kernels(lib: Standard, rows: Sequence[Any], arrays: Sequence[jax.Array]) -> Refusal | None:
    how = is_switched_off(TRITON) or _launch(lib, *rows)
    return how if isinstance(how, Refusal) else first_refusal(map(from_jax.refusal, arrays))


def _refusal_of_native_code(lib: Standard, rows: Sequence[Any], arrays: Sequence[jax.Array]) -> Refusal | None:
    reason = first_refusal(map(xla.missing, arrays))
    if reason is not None:
        return reason
    told = _told(lib, *rows)
    return told if isinstance(told, Refusal) else None


def _told(lib: Standard, *rows: Any) -> Any:
    """What native code reads of the sizes of rows, or why it doesn't route them."""
    log2phy, _, first, experts = rows[-4:]
    return route_shape(
        log2phy.shape,
        experts.shape,
        has_first=first.shape[-1] > 0,
        has_quota=len(rows) > 4,
        index_bytes=jnp.dtype(lib.index_dtype).itemsize,
    )


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


def _by_native_code(*rows: Array, lib: Standard, threads: int) -> tuple[Array, ...]:
    log2phy, *others = rows[-4:]
    quota = rows[0] if len(rows) > 4 else log2phy[:0]
    given = [x.astype(lib.index_dtype) for x in (quota, log2phy, *others)]
    results = [(rows[-1].shape, lib.index_dtype)]
    (slots,) = xla.called("route", given, results, threads, {"integers": _told(lib, *rows)})
    return (slots.astype(log2phy.dtype),)


_routed_in_turn = primitive(
    "route_in_turn", _results, once_written=_in_turn, kernels=_by_kernels, native=_by_native_code
)
_routed_by_quota = primitive(
    "route_by_quota", _results, once_written=_by_quota, kernels=_by_kernels, native=_by_native_code
)


def _route_in_turn(lib: Standard, *arrays: Array, **settings: Any) -> tuple[Array]:
    (slots,) = _routed_in_turn(*_in_rows(arrays), lib=lib, **settings)
    return (jnp.reshape(slots, arrays[-1].shape),)


def _route_by_quota(lib: Standard, *arrays: Array, **settings: Any) -> tuple[Array]:
    (slots,) = _routed_by_quota(*_in_rows(arrays), lib=lib, **settings)
    return (jnp.reshape(slots, arrays[-1].shape),)
