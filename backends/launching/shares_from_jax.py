"""Shares of JAX arrays by the kernel of `kernels/sharing` or the native code of `native/sharing`, as primitives."""

from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.sharing import prepared, shares
from eplb_xp.algorithms.sharing.tokens import clipped
from eplb_xp.backends.launching import from_jax, xla
from eplb_xp.backends.launching.primitives import is_switched_off, primitive, refused, taken
from eplb_xp.backends.launching.shares_from_numpy import Results, results_of_prepare, results_of_share, shape_of
from eplb_xp.backends.launching.sharing import launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import NATIVE, TRITON, Refusal
from eplb_xp.types import Array, Prepared, Shares


def prepare(lib: Standard, phy2log: jax.Array, *, num_experts: int, num_gpus: int) -> Prepared[jax.Array] | Refusal:
    """What shares need to know of a plan, by native code on CPUs, or why the once-written code finds it."""
    reasons = {NATIVE: _refusal_of_native_code(phy2log, num_experts, phy2log.shape[1], num_gpus)}
    found: Prepared[jax.Array] | Refusal = taken(
        lib, _prepare, phy2log, reasons=reasons, num_experts=num_experts, num_gpus=num_gpus
    )
    return found


def share(lib: Standard, *arrays: jax.Array, num_gpus: int, rounds: int) -> Shares[jax.Array] | Refusal:
    """The shares, by the kernel on NVIDIA GPUs, native code on CPUs, or why the once-written code makes them."""
    reasons = _reasons(arrays[-1], arrays[0].shape[1], num_gpus)
    found: Shares[jax.Array] | Refusal = taken(lib, _share, *arrays, reasons=reasons, num_gpus=num_gpus, rounds=rounds)
    return found


def share_of_plan(lib: Standard, *arrays: jax.Array, num_gpus: int, rounds: int) -> Shares[jax.Array] | Refusal:
    """Those of a plan, which is prepared first."""
    phy2log, *others = arrays
    reason = refused(_reasons(arrays[-1], phy2log.shape[1], num_gpus))
    if reason is not None:
        return reason
    its = {"num_experts": arrays[-1].shape[1], "num_gpus": num_gpus}
    found = prepare(lib, phy2log, **its)
    if isinstance(found, Refusal):
        found = lib.call(prepared.prepare, phy2log, **its)
    return share(lib, *found, *others, num_gpus=num_gpus, rounds=rounds)


def _reasons(weight: jax.Array, replicas: int, num_gpus: int) -> dict[str, Refusal | None]:
    """Why forms may not share out loads, if they may not."""
    layers, experts = weight.shape
    how = is_switched_off(TRITON) or launch(layers, experts, replicas, num_gpus)
    return {
        TRITON: how if isinstance(how, Refusal) else from_jax.refusal(weight),
        NATIVE: _refusal_of_native_code(weight, experts, replicas, num_gpus),
    }


def _refusal_of_native_code(array: jax.Array, experts: int, replicas: int, num_gpus: int) -> Refusal | None:
    reason = xla.missing(array)
    if reason is not None:
        return reason
    shape = shape_of(experts, replicas, num_gpus, 0)
    return shape if isinstance(shape, Refusal) else None


def _prepare(lib: Standard, phy2log: Array, **settings: Any) -> Prepared[Array]:
    return Prepared(*_prepared(phy2log, lib=lib, **settings))


def _share(lib: Standard, *arrays: Array, **settings: Any) -> Shares[Array]:
    return Shares(*_shared(*arrays, lib=lib, **settings))


def _results_of_prepare(phy2log: Any, *, lib: Standard, num_experts: int, **_: Any) -> Results:
    return results_of_prepare(phy2log.shape, num_experts, lib.index_dtype)


def _results_of_share(*arrays: Any, lib: Standard, num_gpus: int, **_: Any) -> Results:
    return results_of_share(arrays[0].shape, num_gpus, lib.index_dtype)


def _prepared_by_once_written(phy2log: Array, *, lib: Standard, **settings: Any) -> tuple[Array, ...]:
    return tuple(prepared.prepare(lib, phy2log, **settings))


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

    results = _results_of_share(*arrays, lib=lib, num_gpus=num_gpus)
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


def _prepared_by_native_code(
    phy2log: Array, *, lib: Standard, num_experts: int, num_gpus: int, threads: int
) -> tuple[Array, ...]:
    results = _results_of_prepare(phy2log, lib=lib, num_experts=num_experts)
    numbers = {"integers": _told(lib, num_experts, phy2log.shape[1], num_gpus, 0)}
    return xla.called("prepare", [phy2log.astype(lib.index_dtype)], results, threads, numbers)


def _by_native_code(*arrays: Array, lib: Standard, num_gpus: int, rounds: int, threads: int) -> tuple[Array, ...]:
    *its, tolerance, weight = arrays
    are_integers = lib.is_integer(weight)
    load = clipped(lib, weight) if are_integers else lib.float32(weight)
    given = [*(x.astype(lib.index_dtype) for x in its), tolerance, load]
    told = _told(lib, weight.shape[1], its[0].shape[1], num_gpus, rounds, are_integers=are_integers)
    results = _results_of_share(*arrays, lib=lib, num_gpus=num_gpus)
    return xla.called("share", given, results, threads, {"integers": told})


def _told(lib: Standard, *sizes: int, are_integers: bool = False) -> Any:
    """What native code reads of sizes that it has not refused."""
    return shape_of(*sizes, are_integers=are_integers, index_bytes=jnp.dtype(lib.index_dtype).itemsize)


_prepared = primitive(
    "prepare", _results_of_prepare, once_written=_prepared_by_once_written, native=_prepared_by_native_code
)
_shared = primitive(
    "share", _results_of_share, once_written=_by_once_written, kernels=_by_kernel, native=_by_native_code
)
