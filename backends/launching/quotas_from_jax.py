"""Quotas of JAX arrays by the kernel of `kernels/routing`, as primitives."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.routing import quotas as once_written
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching.dividing import Dividing, launch
from eplb_xp.backends.launching.primitives import primitive
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.types import Array

OF_ONE = 6  # arrays, of which the first is the rank


def quotas(lib: Standard, *arrays: jax.Array, num_nodes: int) -> tuple[jax.Array] | Refusal:
    """Quotas of all ranks, by the kernel where they are found on an NVIDIA GPU, or why the once-written code does."""
    reason = _refusal(lib, *arrays, num_nodes=num_nodes)
    return lib.call(_divided, *arrays, num_nodes=num_nodes) if reason is None else reason


def quotas_of_rank(lib: Standard, *arrays: jax.Array, num_nodes: int) -> tuple[jax.Array] | Refusal:
    """Those of one rank, which comes first."""
    reason = _refusal(lib, *arrays, num_nodes=num_nodes)
    return lib.call(_divided_for_rank, *arrays, num_nodes=num_nodes) if reason is None else reason


def _refusal(lib: Standard, *arrays: jax.Array, num_nodes: int) -> Refusal | None:
    """Why the kernel may not run, if it may not."""
    how = _launch(lib, *arrays, num_nodes=num_nodes)
    if isinstance(how, Refusal):
        return how
    return next((reason for reason in map(from_jax.refusal, arrays) if reason is not None), None)


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


_found = primitive("quotas", _results, once_written=_by_once_written, kernels=_by_kernel)
_found_for_rank = primitive("quotas_of_rank", _results, once_written=_by_once_written, kernels=_by_kernel)


def _divided(lib: Standard, *arrays: Array, num_nodes: int) -> tuple[Array, ...]:
    return tuple(_found(*arrays, lib=lib, num_nodes=num_nodes))


def _divided_for_rank(lib: Standard, *arrays: Array, num_nodes: int) -> tuple[Array, ...]:
    return tuple(_found_for_rank(*arrays, lib=lib, num_nodes=num_nodes))
