"""The kernel that makes shares for JAX: which steps of a program it may take, and what the program does on a CPU."""

import functools
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AxisType

from eplb_xp import Shares, prepare_shares
from eplb_xp.backends.kernels.sharing.shares import share as kernel
from eplb_xp.backends.launching import sharing as launching
from eplb_xp.backends.takeover import SWITCH
from tests.support.jax_kernels import CUSTOM_CALL
from tests.support.jax_shares import (
    GPUS,
    LAYERS,
    Share,
    arrays_of,
    as_numpy,
    batch,
    cpus,
    on_mesh,
    prepared_and_shared,
    shared,
    shared_shapes,
)
from tests.support.share_kernels import expected, launch_of
from tests.support.shares import assert_equal

# What is tested is what is traced and lowered.
pytestmark = pytest.mark.usefixtures("plainly_compiled", "with_gpu")
both_ways = pytest.mark.parametrize("share", [shared, prepared_and_shared], ids=["in one", "prepared"])

BATCH = batch()


@both_ways
def test_other_platforms_run_the_once_written_code(share: Share) -> None:
    given = arrays_of(BATCH)
    assert shared_shapes(share, *given) == [(4, 8)]
    lowered = jax.jit(share).lower(*given)
    assert CUSTOM_CALL not in lowered.as_text()
    assert_equal(as_numpy(lowered.compile()(*given)), expected(BATCH))


def test_nothing_is_traced_without_jit() -> None:
    with jax.disable_jit():
        assert_equal(as_numpy(shared(*arrays_of(BATCH))), expected(BATCH))
        # Its loads have no values, so that NumPy doesn't take them.
        each = jax.vmap(shared, in_axes=(None, 0))(arrays_of(BATCH)[0], arrays_of(BATCH)[1][None])
    assert_equal(as_numpy(Shares(*(x[0] for x in each))), expected(BATCH))


def test_explicit_axes_are_left_to_xla(caplog: pytest.LogCaptureFixture) -> None:
    mesh = cpus(AxisType.Explicit)
    given = [on_mesh(mesh, LAYERS, x) for x in BATCH[:2]]
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert shared_shapes(shared, *given) == []
    assert "share_of_plan runs without its kernel: the loads are sharded over explicit axes of a mesh" in caplog.text
    assert_equal(as_numpy(jax.jit(shared)(*given)), expected(BATCH))


def squares(phy2log: jax.Array, tokens: jax.Array) -> jax.Array:
    """Loads beside their shares, and a float of them that nothing flows through."""
    found = shared(phy2log, tokens)
    return jnp.sum(tokens**2) * (1 + found.gap.sum()) + jnp.sum(found.share / 2) + found.lower_bound.sum()


def test_no_gradient_flows_through() -> None:
    phy2log, tokens = arrays_of(BATCH)
    tokens = tokens.astype(jnp.float32)
    gradient = 2 * tokens * (1 + shared(phy2log, tokens).gap.sum())
    gradients: tuple[Callable[..., jax.Array], ...] = (
        jax.vmap(jax.grad(squares, argnums=1), in_axes=(None, 0)),
        jax.jit(lambda *given: jax.grad(jax.checkpoint(squares), argnums=1)(given[0], given[1][0])[None]),
        lambda *given: jax.jacfwd(squares, argnums=1)(given[0], given[1][0])[None],
    )
    for function in gradients:
        np.testing.assert_allclose(function(phy2log, tokens[None])[0], gradient, rtol=1e-5)


@both_ways
@pytest.mark.parametrize(("dtype", "in_triton"), [("int8", "int8"), ("float32", "float32"), ("int4", "int32")])
def test_for_a_gpu_a_program_calls_the_kernel(
    share: Share, dtype: str, in_triton: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the arguments that it has, in order; what calls it is a stand-in."""
    calls: list[dict[str, Any]] = []

    def triton_call(*arguments: Any, out_shape: Any, **options: Any) -> Any:
        calls.append(dict(zip(kernel.arg_names, (*arguments, *out_shape, options["S"]), strict=True)) | options)
        return [jnp.zeros(x.shape, x.dtype) for x in out_shape]

    stand_in = ModuleType("jax_triton")
    monkeypatch.setattr(stand_in, "triton_call", triton_call, raising=False)
    monkeypatch.setitem(sys.modules, "jax_triton", stand_in)
    phy2log, tokens = arrays_of(BATCH)
    traced = jax.jit(functools.partial(share)).trace(phy2log, (tokens % 7).astype(dtype))  # not traced before
    traced.lower(lowering_platforms=("cuda",))
    (call,) = calls
    assert call["kernel"] is kernel
    assert call["grid"] == 4
    assert call["num_warps"] == launch_of(4, 8, 12, GPUS).warps
    assert call["enable_fp_fusion"] is False
    assert (call["row_stride"], call["column_stride"], call["rounds"]) == (8, 1, 64)
    assert call["weight_ptr"].dtype == in_triton
    prepared = prepare_shares((phy2log, phy2log, tokens), GPUS)
    for name, x in prepared._asdict().items():
        assert (call[f"{name}_ptr"].shape, call[f"{name}_ptr"].dtype) == (x.shape, x.dtype)
    assert (call["tolerance_ptr"].shape, call["tolerance_ptr"].dtype) == ((4, 1), np.float32)
    results = [call[f"{name}_ptr"] for name in ("share", "load", "busiest", "bound", "proof", "gap", "rounds")]
    for ours, theirs in zip(results, shared(phy2log, tokens), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)


def test_a_batch_beyond_the_limits_is_left_to_xla(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its layers would not be."""
    monkeypatch.setattr(launching, "MOST_WORDS", launch_of(4, 8, 12, GPUS).words * 4)
    monkeypatch.setitem(sys.modules, "jax_triton", None)  # it would be imported for the kernel
    phy2log, tokens = arrays_of(BATCH)
    each = jax.vmap(functools.partial(shared), in_axes=(None, 0))
    given = phy2log, jnp.stack([tokens, tokens + 1])
    assert shared_shapes(each, *given) == [(8, 8)]
    assert CUSTOM_CALL not in jax.jit(each).trace(*given).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("platforms", [("cuda",), ("cpu", "cuda")])
def test_an_exported_program_holds_no_kernels(platforms: tuple[str, ...]) -> None:
    exported = export.export(jax.jit(shared), platforms=platforms)(*arrays_of(BATCH))
    assert exported.platforms == platforms
    assert "custom_call" not in exported.mlir_module()


def test_indices_are_of_the_type_that_the_program_was_traced_with() -> None:
    with jax.enable_x64(True):
        traced = jax.jit(functools.partial(shared)).trace(*arrays_of(BATCH))
    found = traced.lower().compile()(*arrays_of(BATCH))
    assert {x.dtype for x in found if x.dtype.kind == "i"} == {np.dtype(np.int64)}
    assert_equal(as_numpy(found), expected(BATCH))


def test_what_is_too_large_is_left_to_xla(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(launching, "MOST_EXPERTS", 7)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert shared_shapes(shared, *arrays_of(BATCH)) == []
    assert "share_of_plan runs without its kernel: the kernel shares among at most 7 experts, got 8" in caplog.text


def test_no_layers_are_left_to_xla(caplog: pytest.LogCaptureFixture) -> None:
    given = jnp.zeros((0, 12), jnp.int32), jnp.zeros((0, 8))
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert jax.jit(functools.partial(shared))(*given).share.shape == (0, 12)
    assert "share_of_plan runs without its kernel: there are no layers" in caplog.text


def test_the_switch_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared_shapes(shared, *arrays_of(BATCH)) == [(4, 8)]
    monkeypatch.setenv(SWITCH, "0")
    assert shared_shapes(shared, *arrays_of(BATCH)) == []
