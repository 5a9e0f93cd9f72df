"""The kernels for JAX arrays: which plans of a program they may make, and what the program does on a CPU."""

import functools
import logging
from importlib import metadata

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.takeover import SWITCH
from tests.support.jax_kernels import (
    CUSTOM_CALL,
    GLOBAL,
    assert_same,
    loads,
    plan_for,
    planned_shapes,
    squares,
    stacked,
)

LAYERS = PartitionSpec("layers")
# What is tested is what is traced and lowered.
pytestmark = pytest.mark.usefixtures("plainly_compiled")


@pytest.fixture
def weight(monkeypatch: pytest.MonkeyPatch) -> jax.Array:
    """Loads on a CPU, in a process that takes itself to have a GPU."""
    monkeypatch.setattr(from_jax, "missing", lambda: None)
    return jax.device_put(loads(), jax.devices("cpu")[0])


def cpus(axis_type: AxisType = AxisType.Auto) -> Mesh:
    return jax.make_mesh((4,), ("layers",), axis_types=(axis_type,), devices=jax.devices("cpu")[:4])


def test_other_platforms_run_the_once_written_code(weight: jax.Array) -> None:
    assert planned_shapes(plan_for, weight) == [(4, 16)]
    compiled = jax.jit(plan_for).lower(weight)
    assert CUSTOM_CALL not in compiled.as_text()
    assert_same(compiled.compile()(weight), plan_for(loads()))
    with jax.disable_jit():
        assert_same(plan_for(weight, GLOBAL), plan_for(loads(), GLOBAL))


def test_a_batch_is_planned_as_layers(weight: jax.Array) -> None:
    batch = jnp.stack([weight, weight[::-1] * 3, weight**2])
    for function, given in (
        (jax.vmap(plan_for), batch),
        (jax.vmap(jax.vmap(plan_for)), batch[:, None]),
        (jax.vmap(plan_for, in_axes=1), jnp.moveaxis(batch, 0, 1)),
    ):
        assert planned_shapes(function, given) == [(12, 16)]
        plan = jax.tree.map(lambda x, shape=given.shape: x[:, 0] if len(shape) == 4 else x, jax.jit(function)(given))
        assert_same(plan, stacked(plan_for, np.asarray(batch)))


@pytest.mark.parametrize("check_vma", [True, False])
def test_maps_vary_in_shard_map_as_loads_do(weight: jax.Array, check_vma: bool) -> None:
    sharded = functools.partial(jax.shard_map, mesh=cpus(), in_specs=LAYERS, check_vma=check_vma)
    each = sharded(plan_for, out_specs=LAYERS)
    given = jax.device_put(weight, NamedSharding(cpus(), LAYERS))
    assert planned_shapes(each, given) == [(1, 16)]
    assert_same(jax.jit(each)(given), plan_for(loads()))
    # What all devices have alike needs no axis.
    common = sharded(lambda x: plan_for(lax.psum(x, "layers")), out_specs=PartitionSpec())
    assert_same(jax.jit(common)(given), plan_for(np.asarray(jnp.sum(weight, axis=0, keepdims=True))))


def test_no_gradient_flows_through(weight: jax.Array) -> None:
    gradient = 2 * weight / plan_for(loads()).logcnt.astype(np.float32) ** 2
    for transform in (jax.grad, lambda f: jax.jit(jax.grad(jax.checkpoint(f))), jax.jacfwd):
        np.testing.assert_allclose(transform(squares)(weight), gradient, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(jax.grad(squares))(weight[None])[0], gradient, rtol=1e-5)


@pytest.mark.parametrize("platforms", [("cuda",), ("cpu", "cuda")])
def test_an_exported_program_holds_no_kernels(weight: jax.Array, platforms: tuple[str, ...]) -> None:
    exported = export.export(jax.jit(plan_for), platforms=platforms)(weight)
    assert exported.platforms == platforms
    assert "custom_call" not in exported.mlir_module()
    if "cpu" in platforms:
        if metadata.version("jaxlib").startswith("0.12.0"):
            pytest.skip("jaxlib 0.12.0 ends the process where a program exported for two platforms is called on a CPU")
        assert_same(export.deserialize(exported.serialize()).call(weight), plan_for(loads()))


def test_indices_are_of_the_type_that_the_program_was_traced_with(weight: jax.Array) -> None:
    with jax.enable_x64(True):
        traced = jax.jit(plan_for).trace(weight)
    result = traced.lower().compile()(weight)
    assert {x.dtype for x in result} == {np.dtype(np.int64)}
    assert_same(result, plan_for(loads()))


@pytest.mark.parametrize(("layers", "experts"), [(2, 1026), (0, 16)])
def test_sizes_beyond_the_limits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, layers: int, experts: int
) -> None:
    monkeypatch.setattr(from_jax, "missing", lambda: None)
    given, sizes = loads(layers=layers, experts=experts), (experts + 2, 1, 1, 2)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        result = jax.jit(functools.partial(plan_for, sizes=sizes))(jnp.asarray(given))
    assert ("at most 1024 experts, got 1026" if layers else "there are no layers") in caplog.text
    assert_same(result, plan_for(given, sizes))


def test_explicit_axes_are_left_to_xla(weight: jax.Array, caplog: pytest.LogCaptureFixture) -> None:
    given = jax.device_put(weight, NamedSharding(cpus(AxisType.Explicit), LAYERS))
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert planned_shapes(plan_for, given) == []
    assert "explicit axes of a mesh" in caplog.text


def test_the_switch_is_read_at_each_call(weight: jax.Array, monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned_shapes(plan_for, weight) == [(4, 16)]
    monkeypatch.setenv(SWITCH, "0")
    assert planned_shapes(plan_for, weight) == []
