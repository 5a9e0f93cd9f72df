"""The kernels for JAX arrays on a GPU: that they plan as NumPy does, however the program is made."""

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, Mesh, PartitionSpec

from eplb_xp import POLICIES
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching import launch as launching
from eplb_xp.backends.launching.launch import Launch, launch
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.sizes import check_sizes
from tests.support.jax_kernels import (
    CUSTOM_CALL,
    GLOBAL,
    HIERARCHICAL,
    assert_same,
    loads,
    plan_for,
    squares,
    stacked,
    swapped,
)

pytestmark = pytest.mark.cuda


@pytest.fixture
def on_gpu() -> jax.Array:
    """Loads on a GPU that the kernels can run on."""
    reason = from_jax.missing()
    if reason is not None:
        pytest.skip(reason)
    return jax.device_put(loads(), jax.devices("cuda")[0])


def has_kernels(function: Any, *arrays: Any) -> bool:
    return CUSTOM_CALL in jax.jit(functools.partial(function)).lower(*arrays).as_text()


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


@pytest.mark.parametrize(
    ("plan", "kernels"),
    [(swapped, 3), (functools.partial(plan_for, sizes=(24, 1, 1, 8), policy="joint"), 2)],
    ids=["three kernels", "with all registers"],
)
def test_the_next_process_has_the_kernels(
    on_gpu: jax.Array, plan: Any, kernels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jax_triton import triton_lib  # noqa: PLC0415 # there where kernels are

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        monkeypatch.setattr(triton_lib, "_COMPILED_KERNEL_CACHE", {})  # as a process begins
        assert_same(jax.jit(functools.partial(plan))(on_gpu), plan(np.asarray(on_gpu)))
        assert len(triton_lib._COMPILED_KERNEL_CACHE) == len(list(tmp_path.rglob("kernel.json"))) == kernels
        monkeypatch.setattr(triton_lib.code_gen, "ast_to_ttir", None)  # nothing more can be compiled


@pytest.mark.parametrize("dtype", ["int8", "uint16", "float8_e5m2", "int4"])
def test_small_dtypes_on_a_gpu(on_gpu: jax.Array, dtype: str) -> None:
    given = jnp.minimum(on_gpu, 7.0).astype(dtype)
    assert has_kernels(plan_for, given)
    assert_same(plan_for(given), plan_for(np.asarray(given.astype(jnp.float32))))


@pytest.mark.parametrize("policy", POLICIES)
def test_kernels_plan_real_sizes(on_gpu: jax.Array, policy: str) -> None:
    given = loads(layers=58, experts=256)
    given[::2] = np.round(given[::2] / 5)  # ties and idle experts
    result = plan_for(jax.device_put(given, on_gpu.device), (288, 8, 4, 32), policy)
    assert_same(result, plan_for(given, (288, 8, 4, 32), policy))


def test_64_bits_on_a_gpu(on_gpu: jax.Array) -> None:
    for dtype in (np.float64, np.int64):
        with jax.enable_x64(True):
            given = jax.device_put(loads().astype(dtype), on_gpu.device)
            assert given.dtype == dtype
            result = swapped(given)
        assert {x.dtype for x in result} == {np.dtype(np.int64)}
        assert_same(result, swapped(loads().astype(dtype)))


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


def test_a_training_step_on_a_gpu(on_gpu: jax.Array) -> None:
    assert has_kernels(jax.grad(squares), on_gpu)
    expected = 2 * loads() / plan_for(loads()).logcnt.astype(np.float32) ** 2
    np.testing.assert_allclose(jax.jit(jax.grad(squares))(on_gpu), expected, rtol=1e-5)


def test_export_on_a_gpu(on_gpu: jax.Array) -> None:
    exported = export.export(jax.jit(swapped))(on_gpu)
    assert_same(export.deserialize(exported.serialize()).call(on_gpu), swapped(loads()))


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
