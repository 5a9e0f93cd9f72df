"""The kernels for JAX arrays: when they plan, and that they plan as NumPy does, however the program is made."""

import functools
import logging
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from eplb_xp import POLICIES, Plan, rebalance_experts
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching import launch as launching
from eplb_xp.backends.launching.launch import Launch, launch
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.sizes import check_sizes
from tests.support.libraries import NumPyArray

HIERARCHICAL, GLOBAL = (24, 4, 2, 4), (24, 1, 1, 4)
LAYERS = PartitionSpec("layers")
PRIMITIVE, CUSTOM_CALL = "eplb_xp_plan", "triton_kernel_call"

on_a_gpu = pytest.mark.cuda


def loads(seed: int = 0, layers: int = 4, experts: int = 16) -> NumPyArray:
    return np.random.default_rng(seed).lognormal(3, 1, (layers, experts)).astype(np.float32)


def plan_for(weight: Any, sizes: tuple[int, int, int, int] = HIERARCHICAL, policy: str = "greedy") -> Plan[Any]:
    return rebalance_experts(weight, *sizes, policy=policy)


swapped = functools.partial(plan_for, policy="swap")  # by three kernels, greedy by one


def assert_same(result: Any, expected: Any) -> None:
    assert type(result) is type(expected)
    for ours, theirs in zip(result, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def stacked(plan: Any, batch: NumPyArray) -> Plan[Any]:
    return Plan(*(np.stack(maps) for maps in zip(*map(plan, batch), strict=True)))


def squares(weight: jax.Array) -> jax.Array:
    return jnp.sum((weight / plan_for(weight).logcnt.astype(jnp.float32)) ** 2)


def planned_shapes(function: Any, *arrays: Any) -> list[tuple[int, ...]]:
    """The shape of the loads of each plan that kernels may make."""
    # A function of its own, because JAX keeps what it has traced.
    pending, shapes = [jax.make_jaxpr(functools.partial(function))(*arrays).jaxpr], []
    for jaxpr in pending:
        for eqn in jaxpr.eqns:
            shapes += [eqn.invars[0].aval.shape] if eqn.primitive.name == PRIMITIVE else []
            params = [getattr(param, "jaxpr", param) for param in jax.tree.leaves(list(eqn.params.values()))]
            pending += [param for param in params if hasattr(param, "eqns")]
    return shapes


# Without a GPU.


def test_a_process_without_a_gpu_leaves_plans_to_xla(caplog: pytest.LogCaptureFixture) -> None:
    if from_jax.missing() is None:
        pytest.skip("JAX finds a GPU")
    weight = jnp.asarray(loads())
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert planned_shapes(plan_for, weight) == []
    assert "plan runs without its kernel: the kernels need an NVIDIA GPU" in caplog.text


def find_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = jax.devices
    monkeypatch.setattr(jax, "devices", lambda backend=None: [] if backend == "cuda" else devices(backend))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    find_a_gpu(monkeypatch)
    monkeypatch.setitem(sys.modules, "jax_triton", None)
    monkeypatch.setattr(from_jax, "missing", from_jax.missing.__wrapped__)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert_same(plan_for(jnp.asarray(loads())), plan_for(loads()))
    assert (
        "plan runs without its kernel: the kernels need jax-triton and Triton, install the extra 'cuda'" in caplog.text
    )


def test_another_jax_triton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    find_a_gpu(monkeypatch)
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    other = ModuleType("jax_triton")
    monkeypatch.setattr(other, "__version__", "0.4.0", raising=False)
    monkeypatch.setitem(sys.modules, "jax_triton", other)
    reason = from_jax.missing.__wrapped__()
    assert reason is not None
    assert "need jax-triton 0.3" in reason
    assert "0.4.0 is there" in reason


@pytest.mark.parametrize("before", [None, "/somewhere"])
def test_triton_keeps_its_cache(before: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find_a_gpu(monkeypatch)
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    # Imported anew, and afterwards what it was.
    monkeypatch.setitem(sys.modules, "jax_triton", None)
    del sys.modules["jax_triton"]
    (tmp_path / "jax_triton.py").write_text("import os\nos.environ['TRITON_CACHE_DIR'] = ''\n__version__ = '0.3.1'\n")
    monkeypatch.syspath_prepend(tmp_path)
    if before is None:
        monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    else:
        monkeypatch.setenv("TRITON_CACHE_DIR", before)
    assert from_jax.missing.__wrapped__() is None
    assert os.environ.get("TRITON_CACHE_DIR") == before


# With one, and programs for CPUs.


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
        result = plan_for(jnp.asarray(given), sizes)
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


# On a GPU.


@pytest.fixture
def on_gpu() -> jax.Array:
    """Loads on a GPU that the kernels can run on."""
    reason = from_jax.missing()
    if reason is not None:
        pytest.skip(reason)
    return jax.device_put(loads(), jax.devices("cuda")[0])


def has_kernels(function: Any, *arrays: Any) -> bool:
    return CUSTOM_CALL in jax.jit(functools.partial(function)).lower(*arrays).as_text()


@on_a_gpu
@pytest.mark.parametrize("sizes", [HIERARCHICAL, GLOBAL], ids=["hierarchical", "global"])
@pytest.mark.parametrize("policy", POLICIES)
def test_kernels_plan_as_numpy_does(on_gpu: jax.Array, policy: str, sizes: tuple[int, int, int, int]) -> None:
    plan = functools.partial(plan_for, sizes=sizes, policy=policy)
    assert has_kernels(plan, on_gpu)
    for dtype in ("int32", "bfloat16", "float16", "float32"):
        given = on_gpu.astype(dtype)
        result, expected = plan(given), plan(np.asarray(given))
        assert_same(result, expected)
        assert {x.dtype for x in result} == {np.dtype(np.int32)}
        assert all(x.devices() == on_gpu.devices() for x in result)
        assert_same(jax.jit(plan)(given), expected)


@on_a_gpu
@pytest.mark.parametrize("dtype", ["int8", "uint16", "float8_e5m2", "int4"])
def test_small_dtypes_on_a_gpu(on_gpu: jax.Array, dtype: str) -> None:
    given = jnp.minimum(on_gpu, 7.0).astype(dtype)
    assert has_kernels(plan_for, given)
    assert_same(plan_for(given), plan_for(np.asarray(given.astype(jnp.float32))))


@on_a_gpu
@pytest.mark.parametrize("policy", POLICIES)
def test_kernels_plan_real_sizes(on_gpu: jax.Array, policy: str) -> None:
    given = loads(layers=58, experts=256)
    given[::2] = np.round(given[::2] / 5)  # ties and idle experts
    result = plan_for(jax.device_put(given, on_gpu.device), (288, 8, 4, 32), policy)
    assert_same(result, plan_for(given, (288, 8, 4, 32), policy))


@on_a_gpu
def test_64_bits_on_a_gpu(on_gpu: jax.Array) -> None:
    for dtype in (np.float64, np.int64):
        with jax.enable_x64(True):
            given = jax.device_put(loads().astype(dtype), on_gpu.device)
            assert given.dtype == dtype
            result = swapped(given)
        assert {x.dtype for x in result} == {np.dtype(np.int64)}
        assert_same(result, swapped(loads().astype(dtype)))


@on_a_gpu
def test_batches_on_a_gpu(on_gpu: jax.Array) -> None:
    batch = jnp.stack([on_gpu, on_gpu[::-1] * 3, on_gpu**2])
    expected = stacked(swapped, np.asarray(batch))
    assert has_kernels(jax.vmap(swapped), batch)
    assert_same(jax.vmap(swapped)(batch), expected)
    assert_same(jax.tree.map(lambda x: x[:, 0], jax.vmap(jax.vmap(swapped))(batch[:, None])), expected)
    # Many plans in one program.
    assert has_kernels(lambda batch: lax.map(swapped, batch), batch)
    assert_same(jax.jit(lambda batch: lax.map(swapped, batch))(batch), expected)
    assert_same(jax.jit(lambda batch: [swapped(x) for x in batch][1])(batch), swapped(np.asarray(batch[1])))


@on_a_gpu
def test_a_batch_beyond_the_limits_is_left_to_xla(on_gpu: jax.Array, monkeypatch: pytest.MonkeyPatch) -> None:
    how = launch(4, 16, check_sizes(16, *HIERARCHICAL), POLICIES["swap"])
    assert isinstance(how, Launch)
    monkeypatch.setattr(launching, "MOST_WORDS", how.words)  # and not three times as much
    from_jax._launch.cache_clear()
    batch = jnp.stack([on_gpu] * 3) + 1
    try:
        assert has_kernels(swapped, batch[0])
        assert not has_kernels(jax.vmap(swapped), batch)
        assert_same(jax.vmap(swapped)(batch), stacked(swapped, np.asarray(batch)))
    finally:
        from_jax._launch.cache_clear()


@on_a_gpu
@pytest.mark.parametrize("check_vma", [True, False])
def test_shard_map_on_a_gpu(on_gpu: jax.Array, check_vma: bool) -> None:
    devices = Mesh(np.asarray([on_gpu.device]), ("layers",), axis_types=(AxisType.Auto,))
    sharded = functools.partial(
        jax.shard_map, mesh=devices, in_specs=PartitionSpec(None, "layers"), check_vma=check_vma
    )
    each = sharded(jax.vmap(swapped), out_specs=PartitionSpec(None, "layers"))
    batch = jnp.stack([on_gpu, on_gpu[::-1] * 3])
    assert has_kernels(each, batch)
    assert_same(jax.jit(each)(batch), stacked(swapped, np.asarray(batch)))
    common = sharded(lambda batch: swapped(lax.psum(batch[0], "layers")), out_specs=PartitionSpec())
    assert has_kernels(common, batch)
    assert_same(jax.jit(common)(batch), swapped(loads()))


@on_a_gpu
def test_a_training_step_on_a_gpu(on_gpu: jax.Array) -> None:
    assert has_kernels(jax.grad(squares), on_gpu)
    expected = 2 * loads() / plan_for(loads()).logcnt.astype(np.float32) ** 2
    np.testing.assert_allclose(jax.jit(jax.grad(squares))(on_gpu), expected, rtol=1e-5)


@on_a_gpu
def test_export_on_a_gpu(on_gpu: jax.Array) -> None:
    exported = export.export(jax.jit(swapped))(on_gpu)
    assert_same(export.deserialize(exported.serialize()).call(on_gpu), swapped(loads()))


@on_a_gpu
def test_what_is_left_to_xla_on_a_gpu(on_gpu: jax.Array, monkeypatch: pytest.MonkeyPatch) -> None:
    beyond = jax.device_put(loads(experts=1026), on_gpu.device)
    sizes = (1028, 1, 1, 4)
    assert not has_kernels(functools.partial(plan_for, sizes=sizes), beyond)
    assert_same(plan_for(beyond, sizes), plan_for(np.asarray(beyond), sizes))
    # Loads elsewhere in this process.
    assert_same(swapped(jax.device_put(loads(), jax.devices("cpu")[0])), swapped(loads()))
    monkeypatch.setenv(SWITCH, "0")
    assert not has_kernels(swapped, on_gpu)
    assert_same(swapped(on_gpu), swapped(loads()))
