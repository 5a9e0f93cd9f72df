"""Quotas of JAX arrays by the kernel of `kernels/routing` or the native code of `native/routing`, as primitives."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.routing import quotas as once_written
from eplb_xp.backends.launching import from_jax, xla
from eplb_xp.backends.launching.dividing import Dividing, launch
from eplb_xp.backends.launching.primitives import first_refusal, is_switched_off, primitive, taken
from eplb_xp.backends.launching.routes_from_numpy import quota_shape
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import NATIVE, TRITON, Refusal
from eplb_xp.types import Array

OF_ONE = 6  # arrays, of which the first is the rank
# Of larger indices native code refuses some, which in a program could not be left to the once-written code.
INDEX_BYTES = 4


def quotas(lib: Standard, *arrays: jax.Array, num_nodes: int) -> tuple[jax.Array] | Refusal:
    """Quotas of all ranks, by the kernel on NVIDIA GPUs, native code on CPUs, or why the once-written code does."""
    return _taken(lib, _divided, *arrays, num_nodes=num_nodes)


def quotas_of_rank(lib: Standard, *arrays: jax.Array, num_nodes: int) -> tuple[jax.Array] | Refusal:
    """Those of one rank, which comes first."""
    return _taken(lib, _divided_for_rank, *arrays, num_nodes=num_nodes)


def _taken(lib: Standard, call: Any, *arrays: jax.Array, num_nodes: int) -> tuple[jax.Array] | Refusal:
    reasons = {
        TRITON: _refusal_of_kernel(lib, *arrays, num_nodes=num_nodes),
        NATIVE: _refusal_of_native_code(lib, *arrays, num_nodes=num_nodes),
    }
    found: tuple[jax.Array] | Refusal = taken(lib, call, *arrays, reasons=reasons, num_nodes=num_nodes)
    return found


def _refusal_of_kernel(lib: Standard, *arrays: jax.Array, num_nodes: int) -> Refusal | None:
    how = is_switched_off(TRITON) or _launch(lib, *arrays, num_nodes=num_nodes)
    return how if isinstance(how, Refusal) else first_refusal(map(from_jax.refusal, arrays))


def _refusal_of_native_code(lib: Standard, *arrays: jax.Array, num_nodes: int) -> Refusal | None:
    reason = first_refusal(map(xla.missing, arrays))
    if reason is not None:
        return reason
    if jnp.dtype(lib.index_dtype).itemsize != INDEX_BYTES:
        return Refusal("native code divides shares in programs whose indices are of 32 bits")
    told = _told(*arrays, num_nodes=num_nodes)
    return told if isinstance(told, Refusal) else None


def _told(*arrays: Any, num_nodes: int) -> Any:
    """What native code reads of the sizes, or why it doesn't divide shares."""
    share, _, log2phy, _, counts = arrays[-5:]
    sizes = counts.shape, share.shape[1], log2phy.shape[-1], num_nodes
    return quota_shape(*sizes, is_of_one=len(arrays) == OF_ONE, index_bytes=INDEX_BYTES)


def _launch(lib: Standard, *arrays: Any, num_nodes: int) -> Dividing | Refusal:
    share, _, log2phy, _, counts = arrays[-5:]
    bits = 8 * jnp.dtype(lib.index_dtype).itemsize
    sizes = counts.shape, share.shape[1], log2phy.shape[-1]
    return launch(*sizes, nodes=num_nodes, is_of_one=len(arrays) == OF_ONE, index_bits=bits)


def _results(*arrays: Any, lib: Standard, **_: Any) -> Sequence[tuple[tuple[int, ...], Any]]:
    log2phy, _, counts = arrays[-3:]
    layers, ranks, experts = counts.shape
    its_ranks = () if len(arrays) == OF_ONE else (ranks,)
    return (((layers, *its_ranks, experts, log2phy.shape[-1]), lib.index_dtype),)


def _by_once_written(*arrays: Array, lib: Standard, num_nodes: int) -> tuple[Array, ...]:
    step = once_written.quotas_of_rank if len(arrays) == OF_ONE else once_written.quotas
    return step(lib, *arrays, num_nodes=num_nodes)


def _by_kernel(*arrays: Array, lib: Standard, num_nodes: int) -> tuple[Array, ...]:
    how = _launch(lib, *arrays, num_nodes=num_nodes)
    if isinstance(how, Refusal):  # of a whole batch
        return _by_once_written(*arrays, lib=lib, num_nodes=num_nodes)

    from jax_triton import triton_call  # noqa: PLC0415 # as in `from_jax.missing`

    from eplb_xp.backends.kernels.routing.quotas import quotas as kernel  # noqa: PLC0415
    from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

    given = [*map(from_jax.as_loads, arrays)]
    rank = given[0] if how.is_of_one else given[-2]  # what isn't read is another
    ((shape, dtype),) = _results(*arrays, lib=lib)
    quota: Array = triton_call(
        *(rank, *given[-5:], 1),
        kernel=kernel,
        out_shape=jax.ShapeDtypeStruct(shape, dtype),
        grid=(shape[0], *how.programs),
        num_warps=how.warps,
        enable_fp_fusion=False,
        S=Static(how),
    )
    return (quota,)


def _by_native_code(*arrays: Array, lib: Standard, num_nodes: int, threads: int) -> tuple[Array, ...]:
    *rank, share, phy2log, log2phy, logcnt, counts = arrays
    its_rank = rank[0] if rank else logcnt[:, :0]
    given = [x.astype(lib.index_dtype) for x in (share, phy2log, log2phy, logcnt, counts, its_rank)]
    numbers = {"integers": _told(*arrays, num_nodes=num_nodes)}
    return xla.called("quotas", given, _results(*arrays, lib=lib), threads, numbers)


_found, _found_for_rank = (
    primitive(name, _results, once_written=_by_once_written, kernels=_by_kernel, native=_by_native_code)
    for name in ("quotas", "quotas_of_rank")
)


def _divided(lib: Standard, *arrays: Array, **settings: Any) -> tuple[Array, ...]:
    return tuple(_found(*arrays, lib=lib, **settings))


def _divided_for_rank(lib: Standard, *arrays: Array, **settings: Any) -> tuple[Array, ...]:
    return tuple(_found_for_rank(*arrays, lib=lib, **settings))
