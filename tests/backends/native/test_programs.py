"""Native code inside of JAX's programs on a CPU: plans of the once-written code, however a program is made."""

import functools
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from jax import export, lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from eplb_xp import POLICIES, Plan, Policy, rebalance_experts
from eplb_xp.backends.launching import from_numpy, xla
from eplb_xp.backends.takeover import NATIVE, SWITCH
from eplb_xp.sizes import check_sizes
from tests.backends.native.test_plans import cases
from tests.support.jax_kernels import assert_same, planned_shapes, stacked
from tests.support.libraries import NumPyArray
from tests.support.native import natively, needs_native, once_written_plan
from tests.support.threads import at_once

pytestmark = needs_native

TARGET = f"{xla.PREFIX}plan"
SIZES = (24, 4, 2, 4)
LAYERS = PartitionSpec("layers")
LOADS = np.random.default_rng(0).lognormal(3, 1, (4, 16)).astype(np.float32)


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, NATIVE)


def plan_for(weight: Any, sizes: tuple[int, ...] = SIZES, policy: str | Policy = "joint") -> Plan[Any]:
    return rebalance_experts(weight, *sizes, policy=policy)


def expected(weight: Any, sizes: tuple[int, ...] = SIZES, policy: str | Policy = "joint") -> Plan[NumPyArray]:
    policy = POLICIES[policy] if isinstance(policy, str) else policy
    return once_written_plan(np.asarray(weight), check_sizes(weight.shape[1], *sizes), policy)


def compiled(function: Callable[..., Any], *arrays: Any) -> Any:
    """The program, in which there is native code and nothing else that plans."""
    lowered = jax.jit(function).lower(*arrays)
    text = lowered.as_text()
    assert f"@{TARGET}(" in text
    assert "stablehlo.while" not in text
    return lowered.compile()


def made(function: Callable[..., Any], *arrays: Any) -> Any:
    return jax.tree.map(np.asarray, compiled(function, *arrays)(*arrays))


@settings(max_examples=15)
@given(case=cases())
def test_plans_are_those_of_the_once_written_code(case: tuple[NumPyArray, tuple[int, ...], Policy, int | None]) -> None:
    weight, sizes, policy, most = case
    load = weight.astype(np.float32)
    checked = replace(check_sizes(load.shape[1], *sizes), max_replicas=most)
    with natively():
        plan = made(lambda x: rebalance_experts(x, *sizes, policy=policy, max_replicas=most), jnp.asarray(load))
    assert_same(plan, once_written_plan(load, checked, policy))


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy(policy: str) -> None:
    for sizes in (SIZES, (24, 1, 1, 4), (64, 1, 1, 4)):
        assert_same(
            made(functools.partial(plan_for, sizes=sizes, policy=policy), LOADS), expected(LOADS, sizes, policy)
        )


@pytest.mark.parametrize(
    "dtype", ["int8", "uint16", "int32", "float16", "bfloat16", "float8_e4m3fn", "int4", "int64", "float64"]
)
def test_loads_of_every_dtype(dtype: str) -> None:
    with jax.enable_x64(dtype.endswith("64")):
        weight = jnp.asarray(LOADS % 7).astype(dtype)
        assert_same(made(plan_for, weight), expected(np.asarray(weight).astype(np.float32)))


@pytest.mark.parametrize("values", [[np.nan, 1], [np.inf, 2], [-1, 3], [-0.0, 0.0], [1e-45, 1e-38], [2.0**-125, 1.0]])
def test_loads_beyond_the_door(values: list[float]) -> None:
    weight = np.resize(np.array(values, np.float32), (3, 16))
    assert_same(made(plan_for, jnp.asarray(weight)), expected(weight))


def test_no_layers() -> None:
    assert_same(made(plan_for, jnp.asarray(LOADS[:0])), Plan(*(x[:0] for x in expected(LOADS))))


@pytest.mark.parametrize("is_x64", [False, True])
def test_indices_are_of_the_type_that_the_program_was_traced_with(is_x64: bool) -> None:
    with jax.enable_x64(is_x64):
        traced = jax.jit(plan_for).trace(jnp.asarray(LOADS))
    result = traced.lower().compile()(LOADS)
    assert {x.dtype for x in result} == {np.dtype(np.int64 if is_x64 else np.int32)}
    assert_same(jax.tree.map(np.asarray, result), expected(LOADS))


def test_a_batch_is_planned_as_layers() -> None:
    batch = jnp.stack([LOADS, LOADS[::-1] * 3, LOADS**2])
    for function, array in ((jax.vmap(plan_for), batch), (jax.vmap(plan_for, in_axes=1), jnp.moveaxis(batch, 0, 1))):
        assert planned_shapes(function, array) == [(12, 16)]
        assert_same(made(function, array), stacked(expected, np.asarray(batch)))


def test_in_a_scan() -> None:
    def steps(weight: jax.Array) -> Any:
        def step(load: jax.Array, _: None) -> tuple[jax.Array, Plan[jax.Array]]:
            plan = plan_for(load)
            return load + plan.logcnt.astype(load.dtype), plan

        return lax.scan(step, weight, length=5)

    load, plans = jax.tree.map(np.asarray, jax.jit(steps)(LOADS))
    its = LOADS
    for i in range(5):
        plan = expected(its)
        assert_same(Plan(*(x[i] for x in plans)), plan)
        its = its + plan.logcnt.astype(np.float32)
    np.testing.assert_array_equal(load, its)


def mesh(axis_type: AxisType = AxisType.Auto) -> Mesh:
    return jax.make_mesh((4,), ("layers",), axis_types=(axis_type,), devices=jax.devices("cpu")[:4])


@pytest.mark.parametrize("check_vma", [True, False])
def test_devices_plan_their_layers(check_vma: bool) -> None:
    sharded = functools.partial(jax.shard_map, mesh=mesh(), in_specs=LAYERS, check_vma=check_vma)
    weight = jax.device_put(LOADS, NamedSharding(mesh(), LAYERS))
    each = sharded(plan_for, out_specs=LAYERS)
    assert planned_shapes(each, weight) == [(1, 16)]
    assert_same(made(each, weight), expected(LOADS))
    common = sharded(lambda x: plan_for(lax.psum(x, "layers")), out_specs=PartitionSpec())
    assert_same(made(common, weight), expected(np.asarray(jnp.sum(weight, axis=0, keepdims=True))))


@pytest.mark.parametrize("spec", [("layers",), (None, "layers"), ()], ids=str)
def test_sharded_loads(spec: tuple[str | None, ...]) -> None:
    weight = jax.device_put(LOADS, NamedSharding(mesh(), PartitionSpec(*spec)))
    for plan in (plan_for(weight), compiled(plan_for, weight)(weight)):
        assert plan.phy2log.sharding.device_set == weight.sharding.device_set
        assert_same(jax.tree.map(np.asarray, plan), expected(LOADS))


def test_explicit_axes_are_left_to_xla(caplog: pytest.LogCaptureFixture) -> None:
    weight = jax.device_put(LOADS, NamedSharding(mesh(AxisType.Explicit), LAYERS))
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert planned_shapes(functools.partial(plan_for, policy="greedy"), weight) == []
    assert "explicit axes of a mesh" in caplog.text


def test_no_gradient_flows_through() -> None:
    def squares(weight: jax.Array) -> jax.Array:
        return jnp.sum((weight / plan_for(weight).logcnt.astype(jnp.float32)) ** 2)

    gradient = 2 * LOADS / expected(LOADS).logcnt.astype(np.float32) ** 2
    for transform in (jax.grad, lambda f: jax.jit(jax.grad(jax.checkpoint(f))), jax.jacfwd):
        np.testing.assert_allclose(transform(squares)(jnp.asarray(LOADS)), gradient, rtol=1e-5)


@pytest.mark.parametrize("threads", ["2", "5"])
def test_threads_divide_layers(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(from_numpy.THREADS, threads)
    program = functools.partial(plan_for)  # of its own, because JAX keeps what it has traced
    text = jax.jit(program).lower(LOADS).as_text()
    assert f"threads = dense<{threads}>" in text
    assert_same(made(program, LOADS), expected(LOADS))


def test_other_numbers_of_threads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(from_numpy.THREADS, "none")
    with pytest.raises(ValueError, match="EPLB_XP_THREADS must be an integer from 1 to 1024, got 'none'"):
        jax.jit(functools.partial(plan_for)).lower(LOADS)


def test_several_devices_and_callers_at_once() -> None:
    batches = [np.roll(LOADS, shift, axis=1) for shift in range(4)]
    wanted = [expected(batch) for batch in batches]
    program = jax.jit(plan_for)

    def work(thread: int) -> None:
        for i in range(20):
            batch = (i + thread) % 4
            device = jax.devices("cpu")[thread % 4]
            assert_same(jax.tree.map(np.asarray, program(jax.device_put(batches[batch], device))), wanted[batch])

    at_once(work, 8)


@pytest.mark.parametrize("platforms", [("cpu",), ("cpu", "tpu")])
def test_an_exported_program_is_the_once_written_code(platforms: tuple[str, ...]) -> None:
    greedy = functools.partial(plan_for, policy="greedy")
    exported = export.export(jax.jit(greedy), platforms=platforms)(LOADS)
    assert "custom_call" not in exported.mlir_module()


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_other_platforms_run_the_once_written_code(platform: str) -> None:
    traced = jax.jit(functools.partial(plan_for, policy="greedy")).trace(LOADS)
    assert TARGET in traced.lower(lowering_platforms=("cpu",)).as_text()
    assert TARGET not in traced.lower(lowering_platforms=(platform,)).as_text()


def test_the_variable_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned_shapes(plan_for, LOADS) == [(4, 16)]
    for value in ("0", "triton"):
        monkeypatch.setenv(SWITCH, value)
        assert planned_shapes(functools.partial(plan_for, policy="greedy"), LOADS) == []


def test_too_many_replicas_are_left_to_the_once_written_code(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(from_numpy, "MOST_REPLICAS", 23)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert planned_shapes(functools.partial(plan_for, policy="greedy"), LOADS) == []
    assert "native code plans for at most 23 replicas, got 24" in caplog.text
