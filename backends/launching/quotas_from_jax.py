"""Quotas of JAX arrays by the native code of `native/routing`, as primitives."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.routing import quotas as once_written
from eplb_xp.backends.launching import xla
from eplb_xp.backends.launching.primitives import primitive, taken
from eplb_xp.backends.launching.routes_from_numpy import quota_shape
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import NATIVE, Refusal
from eplb_xp.types import Array

# Sums of larger ones might not fit what native code has; in a program they could not be left to the once-written code.
INDEX_BYTES = 4


def quotas(lib: Standard, *arrays: jax.Array, num_nodes: int) -> tuple[jax.Array] | Refusal:
    """Quotas of all ranks, by native code on CPUs, or why the once-written code finds them."""
    return _taken(lib, _quotas, *arrays, num_nodes=num_nodes)


def quotas_of_rank(lib: Standard, *arrays: jax.Array, num_nodes: int) -> tuple[jax.Array] | Refusal:
    """Those of one rank, which is given for each layer."""
    return _taken(lib, _quotas_of_rank, *arrays, num_nodes=num_nodes)


def _taken(lib: Standard, call: Any, *arrays: jax.Array, num_nodes: int) -> tuple[jax.Array] | Refusal:
    reasons = {NATIVE: _refusal(lib, *arrays, num_nodes=num_nodes)}
    found: tuple[jax.Array] | Refusal = taken(lib, call, *arrays, reasons=reasons, num_nodes=num_nodes)
    return found


def _refusal(lib: Standard, *arrays: jax.Array, num_nodes: int) -> Refusal | None:
    reason = next((reason for reason in map(xla.missing, arrays) if reason is not None), None)
    if reason is not None:
        return reason
    if jnp.dtype(lib.index_dtype).itemsize != INDEX_BYTES:
        return Refusal("native code divides shares in programs whose indices are of 32 bits")
    told = _told(*arrays, num_nodes=num_nodes)
    return told if isinstance(told, Refusal) else None


def _told(*arrays: Any, num_nodes: int) -> Any:
    """What native code reads of the sizes, or why it doesn't divide shares."""
    share, _, log2phy, _, counts = arrays[-5:]
    return quota_shape(
        counts.shape,
        share.shape[1],
        log2phy.shape[2],
        num_nodes,
        is_of_one=len(arrays) > 5,
        index_bytes=INDEX_BYTES,
    )


def _results(*arrays: Any, lib: Standard, **_: Any) -> Sequence[tuple[tuple[int, ...], Any]]:
    _, _, log2phy, _, counts = arrays[-5:]
    layers, ranks, _ = counts.shape
    its_ranks = () if len(arrays) > 5 else (ranks,)
    return (((layers, *its_ranks, *log2phy.shape[1:]), lib.index_dtype),)


def _by_once_written(*arrays: Array, lib: Standard, num_nodes: int) -> tuple[Array, ...]:
    step = once_written.quotas_of_rank if len(arrays) > 5 else once_written.quotas
    return step(lib, *arrays, num_nodes=num_nodes)


def _by_native_code(*arrays: Array, lib: Standard, num_nodes: int, threads: int) -> tuple[Array, ...]:
    *rank, share, phy2log, log2phy, logcnt, counts = arrays
    its_rank = rank[0] if rank else logcnt[:, :0]
    given = [x.astype(lib.index_dtype) for x in (share, phy2log, log2phy, logcnt, counts, its_rank)]
    numbers = {"integers": _told(*arrays, num_nodes=num_nodes)}
    return xla.called("quotas", given, _results(*arrays, lib=lib), threads, numbers)


_of_all = primitive("quotas", _results, once_written=_by_once_written, native=_by_native_code)
_of_one = primitive("quotas_of_rank", _results, once_written=_by_once_written, native=_by_native_code)


def _quotas(lib: Standard, *arrays: Array, **settings: Any) -> tuple[Array]:
    (quota,) = _of_all(*arrays, lib=lib, **settings)
    return (quota,)


def _quotas_of_rank(lib: Standard, *arrays: Array, **settings: Any) -> tuple[Array]:
    (quota,) = _of_one(*arrays, lib=lib, **settings)
    return (quota,)
