"""Shares of JAX arrays by the kernel of `kernels/sharing`, as one primitive."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.sharing import shares
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching.primitives import primitive
from eplb_xp.backends.launching.sharing import launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.types import Array, Shares


def share(lib: Standard, *arrays: jax.Array, num_gpus: int, rounds: int) -> Shares[jax.Array] | Refusal:
    """The shares, by the kernel where they are made on an NVIDIA GPU, or why the once-written code makes them."""
    reason = refusal(arrays[-1], arrays[0].shape[1], num_gpus)
    return lib.call(_share, *arrays, num_gpus=num_gpus, rounds=rounds) if reason is None else reason


def refusal(weight: jax.Array, replicas: int, num_gpus: int) -> Refusal | None:
    """Why the kernel may not run on loads, if it may not."""
    layers, experts = weight.shape
    how = launch(layers, experts, replicas, num_gpus)
    return how if isinstance(how, Refusal) else from_jax.refusal(weight)


def _share(lib: Standard, *arrays: Array, num_gpus: int, rounds: int) -> Shares[Array]:
    return Shares(*_shared(*arrays, lib=lib, num_gpus=num_gpus, rounds=rounds))


def _results(*arrays: Any, lib: Standard, num_gpus: int, **_: Any) -> Sequence[tuple[tuple[int, ...], Any]]:
    layers, _ = arrays[-1].shape
    gpus = (layers, num_gpus)
    return (
        (arrays[0].shape, lib.index_dtype),
        (gpus, lib.index_dtype),
        ((layers,), lib.index_dtype),
        ((layers,), jnp.float32),
        (gpus, jnp.bool_),
        ((layers,), jnp.float32),
        ((layers,), lib.index_dtype),
    )


def _by_once_written(*arrays: Array, lib: Standard, num_gpus: int, rounds: int) -> tuple[Array, ...]:
    return tuple(shares.share(lib, *arrays, num_gpus=num_gpus, rounds=rounds))


def _by_kernel(*arrays: Array, lib: Standard, num_gpus: int, rounds: int) -> tuple[Array, ...]:
    weight = arrays[-1]
    layers, experts = weight.shape
    how = launch(layers, experts, arrays[0].shape[1], num_gpus)
    if isinstance(how, Refusal):  # of a whole batch
        return _by_once_written(*arrays, lib=lib, num_gpus=num_gpus, rounds=rounds)

    from jax_triton import triton_call  # noqa: PLC0415 # as in `from_jax.missing`

    from eplb_xp.backends.kernels.sharing.shares import share as kernel  # noqa: PLC0415
    from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

    results = _results(*arrays, lib=lib, num_gpus=num_gpus)
    found = triton_call(
        *(*arrays[:-1], from_jax.as_loads(weight), experts, 1, rounds),
        kernel=kernel,
        out_shape=(
            *(jax.ShapeDtypeStruct(*result) for result in results),
            jax.ShapeDtypeStruct((layers * how.words,), jnp.int32),
        ),
        grid=layers,
        num_warps=how.warps,
        enable_fp_fusion=False,
        S=Static(how),
    )
    return tuple(found[:-1])


_shared = primitive("share", _results, once_written=_by_once_written, kernels=_by_kernel)
