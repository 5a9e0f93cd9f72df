"""Plans that follow others for JAX arrays, by the kernels of `kernels/following`, as one primitive."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.algorithms.following import follow as once_written
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching.following import Launch, launch
from eplb_xp.backends.launching.primitives import primitive
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan


def follow(lib: Standard, *arrays: jax.Array, **settings: Any) -> Plan[jax.Array] | Refusal:
    """The plan, by kernels where it is made on an NVIDIA GPU, or why the once-written code makes it anywhere."""
    reason = _refusal(arrays[-1], **settings)
    return lib.call(_follow, *arrays, **settings) if reason is None else reason


def follow_or_renew(lib: Standard, *arrays: jax.Array, **settings: Any) -> Plan[jax.Array] | Refusal:
    """The search like that; whether a fresh plan is better is found by the once-written code."""
    reason = _refusal(arrays[-1], **settings)
    return lib.call(_follow_or_renew, *arrays, **settings) if reason is None else reason


def _refusal(weight: jax.Array, **settings: Any) -> Refusal | None:
    """Why the kernels may not run, if they may not."""
    how = _launch(weight, **settings)
    return how if isinstance(how, Refusal) else from_jax.refusal(weight)


def _launch(weight: Any, *, sizes: Sizes, policy: Policy, far_cost: int, **_: Any) -> Launch | Refusal:
    return launch(weight.shape, sizes, policy, far_cost)


def _follow(lib: Standard, *arrays: Array, **settings: Any) -> Plan[Array]:
    return Plan(*_followed(*arrays, lib=lib, **settings))


def _follow_or_renew(lib: Standard, *arrays: Array, **settings: Any) -> Plan[Array]:
    previous, budget, min_gain, fresh, weight = arrays
    found = _follow(lib, previous, budget, jnp.zeros_like(min_gain), weight, **settings)
    return once_written.or_renewed(lib, previous, budget, min_gain, fresh, found.phy2log, weight, **settings)


def _results(*arrays: Any, lib: Standard, sizes: Sizes, **_: Any) -> Sequence[tuple[tuple[int, ...], Any]]:
    layers, _, experts = arrays[-1].shape
    return [(shape, lib.index_dtype) for shape in sizes.map_shapes(layers, experts)]


def _by_once_written(*arrays: Array, lib: Standard, **settings: Any) -> tuple[Array, ...]:
    return tuple(once_written.follow(lib, *arrays, **settings))


def _by_kernels(*arrays: Array, lib: Standard, **settings: Any) -> tuple[Array, ...]:
    previous, budget, min_gain, weight = arrays
    how = _launch(weight, **settings)
    if isinstance(how, Refusal):  # of a whole batch
        return _by_once_written(*arrays, lib=lib, **settings)

    from jax_triton import triton_call  # noqa: PLC0415 # as in `from_jax.missing`

    from eplb_xp.backends.kernels.following.beginning import begin  # noqa: PLC0415
    from eplb_xp.backends.kernels.following.follow import follow as choose  # noqa: PLC0415
    from eplb_xp.backends.kernels.following.path import walk  # noqa: PLC0415
    from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

    sizes = how.sizes
    call = functools.partial(triton_call, enable_fp_fusion=False)
    shapes = [jax.ShapeDtypeStruct((words,), jnp.int32) for words in how.words]
    of_begin, of_wide, of_narrow, of_choose = how.programs
    given = (previous.astype(lib.index_dtype), budget, from_jax.as_loads(weight), sizes.experts, 1)
    layers = call(*given, kernel=begin, out_shape=shapes[0], grid=of_begin, num_warps=4, S=Static(sizes))
    walked = functools.partial(call, kernel=walk, num_warps=sizes.warps)
    wide = walked(layers, layers, out_shape=shapes[1], grid=of_wide, S=Static(sizes))
    narrow = walked(layers, wide, out_shape=shapes[2], grid=of_narrow, S=Static(how.of_narrow))
    maps = [jax.ShapeDtypeStruct(*result) for result in _results(*arrays, lib=lib, sizes=settings["sizes"])]
    found = call(
        *(min_gain, layers, wide, narrow),
        kernel=choose,
        out_shape=(shapes[3], *maps),
        grid=of_choose,
        num_warps=4,
        S=Static(sizes),
    )
    return tuple(found[1:])


_followed = primitive("follow", _results, once_written=_by_once_written, kernels=_by_kernels)
