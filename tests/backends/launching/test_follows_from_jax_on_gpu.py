"""Kernels for plans of JAX arrays that follow others on a GPU: those of NumPy, however the program is made."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, Mesh, PartitionSpec

from eplb_xp import Plan, rebalance_experts
from eplb_xp.backends.launching import following as launching
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.takeover import SWITCH
from tests.support.follow_kernels import Case, Shape, drawn, launch_of
from tests.support.jax_follows import (
    PRIMITIVE,
    SHAPE,
    as_numpy,
    assert_each_followed,
    assert_followed,
    case,
    followed,
)
from tests.support.jax_kernels import CUSTOM_CALL, planned_shapes
from tests.support.plans import assert_same

pytestmark = pytest.mark.cuda


@pytest.fixture
def device() -> Any:
    """A GPU that the kernels can run on."""
    reason = from_jax.missing()
    if reason is not None:
        pytest.skip(reason)
    return jax.devices("cuda")[0]


def on(device: Any, given: Case) -> tuple[jax.Array, jax.Array]:
    return jax.device_put(given.previous.astype(np.int32), device), jax.device_put(given.weight[:, 0], device)


def has_kernels(function: Any, *arrays: Any) -> bool:
    return CUSTOM_CALL in jax.jit(functools.partial(function)).lower(*arrays).as_text()


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int16", "float16", "bfloat16", "float32", "float8_e5m2", "int4"])
def test_the_kernels_plan_as_numpy_does(device: Any, dtype: str) -> None:
    given = case(layers=40)
    previous, weight = on(device, given)
    weight = weight.clip(max=7).astype(dtype)
    given = given._replace(weight=np.asarray(weight.astype("float32"))[:, None])
    assert has_kernels(followed, previous, weight)
    for found in (followed(previous, weight), jax.jit(followed)(previous, weight)):
        assert {x.dtype for x in found} == {np.dtype(np.int32)}
        assert all(x.devices() == {device} for x in found)
        assert_followed(found, given)


@pytest.mark.parametrize(
    "shape", [Shape(256, 288, 32), Shape(64, 96, 16, 8, 4, 4), Shape(30, 70, 10)], ids=["288 / 32", "nodes", "70 / 10"]
)
def test_other_sizes(device: Any, shape: Shape) -> None:
    moves = shape.replicas // 10
    given = drawn(1, shape, 4, moves=moves, empty=0.05)
    given = given._replace(budget=np.full_like(given.budget, moves))
    sizes = shape.replicas, shape.groups, shape.nodes, shape.gpus

    @jax.jit
    def follow(previous: Any, weight: Any) -> Plan[Any]:
        return rebalance_experts(weight, *sizes, max_replicas=shape.most, previous=previous, max_moves=moves)

    arrays = on(device, given)
    assert has_kernels(follow, *arrays)
    assert_followed(follow(*arrays), given)


def test_a_budget_for_each_layer(device: Any) -> None:
    """A fresh plan may be within it, so the kernels do no more than the search."""
    given = case(layers=6)
    budget = np.array([0, 1, 2, 6, 9, 12], np.int32)

    @jax.jit
    def follow(budget: Any, previous: Any, weight: Any) -> Plan[Any]:
        return rebalance_experts(weight, 12, 1, 1, 4, previous=previous, max_moves=budget)

    arrays = jax.device_put(budget, device), *on(device, given)
    assert planned_shapes(follow, *arrays, primitive=f"{PRIMITIVE}_or_renew") == [(6, 1, 8)]
    want = rebalance_experts(given.weight[:, 0], 12, 1, 1, 4, previous=given.previous, max_moves=budget)
    assert_same(as_numpy(follow(*arrays)), want)


def test_64_bits(device: Any) -> None:
    given = case(layers=8)
    with jax.enable_x64(True):
        weight = jax.device_put(given.weight[:, 0].astype(np.float64), device)
        found = jax.jit(functools.partial(followed))(jax.device_put(given.previous.astype(np.int64), device), weight)
    assert {x.dtype for x in found} == {np.dtype(np.int64)}
    assert_followed(found, given)


def test_batches(device: Any) -> None:
    cases = [case(seed) for seed in range(3)]
    previous, weight = (jnp.stack(parts) for parts in zip(*(on(device, x) for x in cases), strict=True))
    of_loads = [cases[0]._replace(weight=x.weight) for x in cases]
    for function, given, of in (
        (jax.vmap(followed), (previous, weight), cases),
        (jax.vmap(followed, in_axes=(None, 0)), (previous[0], weight), of_loads),
        # Many in one program.
        (lambda *arrays: lax.map(lambda one: followed(*one), arrays), (previous, weight), cases),
    ):
        assert has_kernels(function, *given)
        assert_each_followed(jax.jit(function)(*given), of)


@pytest.mark.parametrize("check_vma", [True, False])
def test_shard_map(device: Any, check_vma: bool) -> None:
    mesh = Mesh(np.asarray([device]), ("layers",), axis_types=(AxisType.Auto,))
    layers = PartitionSpec("layers")
    given = case(layers=8)
    each = jax.shard_map(followed, mesh=mesh, in_specs=(layers, layers), out_specs=layers, check_vma=check_vma)
    assert has_kernels(each, *on(device, given))
    assert_followed(jax.jit(each)(*on(device, given)), given)


def test_a_batch_beyond_the_limits_is_left_to_xla(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "MOST_WORDS", sum(launch_of(4, SHAPE).words))
    cases = [case(seed) for seed in range(2)]
    previous, weight = (jnp.stack(parts) for parts in zip(*(on(device, x) for x in cases), strict=True))
    assert has_kernels(followed, previous[0], weight[0])
    assert not has_kernels(jax.vmap(followed), previous, weight)
    assert_each_followed(jax.vmap(followed)(previous, weight), cases)


def test_what_is_left_to_others(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = case()
    arrays = on(device, given)
    exported = export.export(jax.jit(followed))(*arrays)
    assert "triton" not in exported.mlir_module()
    # Loads elsewhere in this process.
    assert_followed(jax.jit(followed)(*on(jax.devices("cpu")[0], given)), given)
    assert has_kernels(followed, *arrays)
    monkeypatch.setenv(SWITCH, "0")
    assert not has_kernels(followed, *arrays)
