"""Native code inside of JAX's programs on a CPU, for shares and what they need to know of a plan."""

import functools
import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType

from eplb_xp import Prepared, Shares, share_tokens
from eplb_xp.backends.launching import from_numpy, shares_from_numpy, xla
from eplb_xp.backends.takeover import NATIVE, OFF, SWITCH, TRITON
from tests.support.jax_kernels import planned_shapes
from tests.support.jax_shares import (
    GPUS,
    LAYERS,
    WHOLE,
    Share,
    arrays_of,
    batch,
    cpus,
    on_mesh,
    prepared_and_shared,
    shared,
    shared_as,
    shared_shapes,
)
from tests.support.native import needs_native
from tests.support.native_shares import (
    BATCH,
    TARGET,
    assert_same,
    by_once_written,
    compiled,
    expected,
    made,
    prepared_by_once_written,
)
from tests.support.shares import Batch
from tests.support.threads import at_once

pytestmark = needs_native

both_ways = pytest.mark.parametrize("share", [shared, prepared_and_shared], ids=["in one", "prepared"])


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, NATIVE)


@both_ways
@pytest.mark.parametrize("is_x64", [False, True])
def test_shares_are_those_of_the_once_written_code(share: Share, is_x64: bool) -> None:
    """With indices of the type that the program was traced with."""
    with jax.enable_x64(is_x64):
        found = made(share, *arrays_of(BATCH))
        assert {x.dtype for x in found if x.dtype.kind == "i"} == {np.dtype(np.int64 if is_x64 else np.int32)}
        assert_same(found, expected())


def test_a_tolerance_is_traced() -> None:
    def share(phy2log: Any, tokens: Any, tolerance: Any) -> Any:
        return share_tokens((phy2log, phy2log, tokens), tokens, GPUS, tolerance=tolerance)

    program = compiled(share, *arrays_of(BATCH), jnp.float32(0.0))
    for tolerance in (0.0, 2.0**-10, 0.25, 1.0):
        want = by_once_written(share, *BATCH[:2], np.array(tolerance, np.float32))
        assert_same(program(*arrays_of(BATCH), jnp.float32(tolerance)), want)


@both_ways
def test_no_layers(share: Share) -> None:
    none = BATCH.phy2log[:0], BATCH.tokens[:0]
    assert_same(made(share, *none), by_once_written(share, *none))


@both_ways
def test_a_batch_is_shared_as_layers(share: Share) -> None:
    """What is prepared is so once."""
    several = [batch(seed)[1] for seed in range(3)]
    each = jax.vmap(share, in_axes=(None, 0))
    arrays = BATCH.phy2log, jnp.stack(several)
    assert shared_shapes(each, *arrays) == [(12, 8)]
    assert planned_shapes(each, *arrays, primitive="eplb_xp_prepare") == [(4, 12)]
    found = made(each, *arrays)
    for i, tokens in enumerate(several):
        assert_same(Shares(*(x[i] for x in found)), expected(Batch(BATCH.phy2log, tokens, GPUS)))


@both_ways
def test_a_batch_along_another_axis(share: Share) -> None:
    several = [batch(seed) for seed in range(3)]
    arrays = jnp.stack([b.phy2log for b in several], 1), jnp.stack([b.tokens for b in several], 2)
    found = made(jax.vmap(share, in_axes=(1, 2)), *arrays)
    for i, each in enumerate(several):
        assert_same(Shares(*(x[i] for x in found)), expected(each))


def test_in_a_scan() -> None:
    """Steps whose loads depend on the shares of those before."""

    def steps(prepared: Prepared[Any], phy2log: Any, tokens: Any) -> Any:
        def step(load: Any, _: None) -> Any:
            found = shared_as(prepared, phy2log, load)
            return load // 2 + found.share[:, :8], found

        return lax.scan(step, tokens, length=5)[1]

    prepared = prepared_by_once_written(BATCH.phy2log)
    text = jax.jit(steps).lower(prepared, *BATCH[:2]).as_text()
    assert TARGET in text
    found = jax.jit(steps)(prepared, *BATCH[:2])
    load = BATCH.tokens
    for i in range(5):
        want = expected(Batch(BATCH.phy2log, load, GPUS))
        assert_same(Shares(*(x[i] for x in found)), want)
        load = (load // 2 + want.share[:, :8]).astype(np.int32)


@both_ways
@pytest.mark.parametrize("check_vma", [True, False])
def test_devices_share_their_layers(share: Share, check_vma: bool) -> None:
    mesh = cpus()
    arrays = [on_mesh(mesh, LAYERS, x) for x in BATCH[:2]]
    each = jax.shard_map(share, mesh=mesh, in_specs=(LAYERS, LAYERS), out_specs=LAYERS, check_vma=check_vma)
    assert shared_shapes(each, *arrays) == [(1, 8)]
    assert_same(made(each, *arrays), expected())


def test_layers_of_several_devices_are_gathered() -> None:
    mesh = cpus()
    assert_same(made(shared, *(on_mesh(mesh, LAYERS, x) for x in BATCH[:2])), expected())
    assert_same(made(shared, *(on_mesh(mesh, WHOLE, x) for x in BATCH[:2])), expected())


def test_explicit_axes_are_left_to_xla(caplog: pytest.LogCaptureFixture) -> None:
    mesh = cpus(AxisType.Explicit)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert shared_shapes(shared, *(on_mesh(mesh, LAYERS, x) for x in BATCH[:2])) == []
    assert "the loads are sharded over explicit axes of a mesh" in caplog.text


def test_no_gradient_flows_through() -> None:
    def squares(tokens: jax.Array) -> jax.Array:
        found = shared(jnp.asarray(BATCH.phy2log), tokens)
        return jnp.sum(tokens**2) * (1 + found.gap.sum()) + found.lower_bound.sum() + jnp.sum(found.share / 2)

    tokens = BATCH.tokens.astype(np.float32)
    want = 2 * tokens * (1 + expected(BATCH._replace(tokens=tokens)).gap.sum())
    np.testing.assert_allclose(jax.jit(jax.grad(squares))(tokens), want, rtol=1e-5)


def test_threads_divide_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(from_numpy.THREADS, "3")
    program = functools.partial(shared)  # of its own, because JAX keeps what it has traced
    assert jax.jit(program).lower(*BATCH[:2]).as_text().count("threads = dense<3>") == 2
    assert_same(jax.jit(program)(*BATCH[:2]), expected())


def test_several_callers_at_once() -> None:
    several = [batch(seed) for seed in range(4)]
    wanted = [*map(expected, several)]
    program = jax.jit(functools.partial(shared))

    def work(thread: int) -> None:
        for i in range(10):
            which, device = (i + thread) % 4, jax.devices("cpu")[thread % 4]
            assert_same(program(*jax.device_put(several[which][:2], device)), wanted[which])

    at_once(work, 4)


@pytest.mark.parametrize("platforms", [("cpu",), ("cpu", "tpu")])
def test_an_exported_program_is_the_once_written_code(platforms: tuple[str, ...]) -> None:
    exported = export.export(jax.jit(functools.partial(shared)), platforms=platforms)(*BATCH[:2])
    assert "custom_call" not in exported.mlir_module()


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_other_platforms_run_the_once_written_code(platform: str) -> None:
    traced = jax.jit(functools.partial(shared)).trace(*BATCH[:2])
    assert xla.PREFIX in traced.lower(lowering_platforms=("cpu",)).as_text()
    assert xla.PREFIX not in traced.lower(lowering_platforms=(platform,)).as_text()


def test_the_variable_is_read_when_a_program_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, shapes in ((NATIVE, [(4, 8)]), (OFF, []), (TRITON, [])):
        monkeypatch.setenv(SWITCH, value)
        assert shared_shapes(shared, *BATCH[:2]) == shapes


def test_what_native_code_refuses_is_left_to_the_once_written_code(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shares_from_numpy, "MOST_REPLICAS", 11)
    shares_from_numpy.shape_of.cache_clear()
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert shared_shapes(shared, *BATCH[:2]) == []
        assert planned_shapes(shared, *BATCH[:2], primitive="eplb_xp_prepare") == []
    shares_from_numpy.shape_of.cache_clear()
    assert "native code shares among at most 11 replicas, got 12" in caplog.text


def test_bad_sizes_are_errors_when_a_program_is_traced() -> None:
    with pytest.raises(ValueError, match="num_gpus must divide the slots of the plan: 5 does not divide 12"):
        jax.jit(lambda phy2log, tokens: share_tokens((phy2log, phy2log, tokens), tokens, 5)).lower(*BATCH[:2])
