"""JAX as its users use it: compiled, batched, sharded, exported, inside a training step."""

import logging
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import POLICIES, Plan, balanced_packing, check_loads, evaluate, rebalance_experts, replicate_experts
from eplb_xp.backends import takeover


def plan_for(weight: jax.Array) -> Plan[jax.Array]:
    return rebalance_experts(weight, num_replicas=80, num_groups=8, num_nodes=2, num_gpus=8, policy="greedy")


@pytest.fixture
def weight() -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).lognormal(0, 1, (8, 64)).astype(np.float32))


def assert_same(result: Any, expected: Any) -> None:
    assert isinstance(result, type(expected))
    for ours, theirs in zip(result, expected, strict=True):
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def compilations(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if message.startswith("Finished XLA compilation")]


def test_one_compilation_for_each_shape(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(1)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for layers, expected in ((3, 1), (3, 1), (2, 2)):
            loads = jax.device_put(rng.random((layers, 20)).astype(np.float32))
            jax.block_until_ready(rebalance_experts(loads, 27, 1, 1, 9, policy="swap"))  # no other test has these sizes
            assert len(compilations(caplog)) == expected


def equations(jaxpr: Any) -> list[Any]:
    """The equations of a program, those of its inner programs included."""
    inner = [param for eqn in jaxpr.eqns for param in jax.tree.leaves(list(eqn.params.values()))]
    programs = [getattr(param, "jaxpr", param) for param in inner]
    return list(jaxpr.eqns) + [eqn for program in programs if hasattr(program, "eqns") for eqn in equations(program)]


@pytest.fixture
def once_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA's program, in a process with a GPU too."""
    monkeypatch.setenv(takeover.SWITCH, "0")


def program(experts: int, policy: str = "greedy") -> list[Any]:
    def plan(weight: jax.Array) -> Plan[jax.Array]:
        return rebalance_experts(weight, experts + 32, 8, 2, 8, policy=policy)

    return equations(jax.make_jaxpr(plan)(jnp.ones((2, experts))).jaxpr)


@pytest.mark.usefixtures("once_written")
def test_program_grows_with_the_logarithm_of_the_experts() -> None:
    sizes = [len(program(experts)) for experts in (512, 1024, 2048, 4096)]
    growth = np.diff(sizes)
    assert sizes[0] > 400  # the loops' bodies are counted
    assert max(growth) <= 8
    assert len(set(growth)) == 1  # the same for each doubling
    # Short rows are ranked by counting, 32 entries at a time, up to 128.
    assert max(len(program(experts)) for experts in (64, 128, 256)) <= sizes[0] + 150


@pytest.mark.usefixtures("once_written")
def test_nothing_leaves_the_device(weight: jax.Array) -> None:
    for policy in POLICIES:
        primitives = {str(eqn.primitive) for eqn in program(64, policy)}
        assert {"while", "sort"} <= primitives
        assert not [name for name in primitives if "callback" in name or "infeed" in name or "outfeed" in name]
    compiled = jax.jit(plan_for).lower(weight).compile().as_text()
    assert compiled is not None
    for word in ("callback", "infeed", "outfeed", "send(", "recv(", "custom-call"):
        assert word not in compiled


def test_jit_and_vmap(weight: jax.Array) -> None:
    expected = plan_for(weight)
    assert_same(jax.jit(plan_for)(weight), expected)
    batch = jnp.stack([weight, weight[::-1] * 3])
    result = jax.jit(jax.vmap(plan_for))(batch)
    for i in range(2):
        assert_same(jax.tree.map(lambda x, i=i: x[i], result), plan_for(batch[i]))
    inner = jax.vmap(jax.vmap(plan_for))(batch[:, :, None])
    assert_same(jax.tree.map(lambda x: x[:, :, 0], inner), result)


def mesh(shape: tuple[int, ...], names: tuple[str, ...], axis_type: AxisType = AxisType.Auto) -> jax.sharding.Mesh:
    return jax.make_mesh(shape, names, axis_types=(axis_type,) * len(names), devices=jax.devices("cpu")[:4])


def plan_and_report(weight: jax.Array) -> Any:
    plan = plan_for(weight)
    report = evaluate(plan, weight, 8, num_groups=8, num_nodes=2)
    return plan, report.doubled, report.gpu_load


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize(
    ("shape", "names"), [((4,), ("layers",)), ((2, 2), ("layers", "model"))], ids=["4 devices", "2 x 2 devices"]
)
def test_shard_map_over_layers(
    weight: jax.Array, shape: tuple[int, ...], names: tuple[str, ...], check_vma: bool
) -> None:
    devices, spec = mesh(shape, names), PartitionSpec("layers")
    weight = jax.device_put(weight, jax.devices("cpu")[0])
    sharded = jax.shard_map(plan_and_report, mesh=devices, in_specs=spec, out_specs=spec, check_vma=check_vma)
    result = jax.jit(sharded)(jax.device_put(weight, NamedSharding(devices, spec)))
    for ours, expected in zip(jax.tree.leaves(result), jax.tree.leaves(plan_and_report(weight)), strict=True):
        assert np.array_equal(ours, expected)


def test_a_policy_is_static(weight: jax.Array, caplog: pytest.LogCaptureFixture) -> None:
    policies = [replace(POLICIES["multistart"], starts=2, rounds=3) for _ in range(2)]
    assert policies[0] is not policies[1]
    plan = jax.jit(rebalance_experts, static_argnums=(1, 2, 3, 4), static_argnames="policy")
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        results = [plan(weight, 80, 1, 1, 8, policy=policy) for policy in policies]
        assert len(compilations(caplog)) == 1
    assert_same(results[0], rebalance_experts(np.asarray(weight), 80, 1, 1, 8, policy=policies[0]))


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_policies_in_a_mesh(weight: jax.Array, axis_type: AxisType) -> None:
    def plan(weight: Any) -> Plan[Any]:
        policy = replace(POLICIES["multistart"], starts=2, neighbourhood="any")
        return rebalance_experts(weight, 80, 1, 1, 8, policy=policy)

    devices, spec = mesh((4,), ("layers",), axis_type), PartitionSpec("layers")
    loads = jax.device_put(weight, NamedSharding(devices, spec))
    expected = plan(np.asarray(weight))
    assert_same(plan(loads), Plan(*expected))
    assert_same(jax.jit(jax.shard_map(plan, mesh=devices, in_specs=spec, out_specs=spec))(loads), Plan(*expected))


def test_the_default_in_a_mesh(weight: jax.Array) -> None:
    def plan(weight: Any) -> Plan[Any]:
        return rebalance_experts(weight, 24, 1, 1, 8)

    devices, spec = mesh((4,), ("layers",), AxisType.Explicit), PartitionSpec("layers")
    loads = jax.device_put(weight[:, :16], NamedSharding(devices, spec))
    expected = plan(np.asarray(loads))
    assert_same(jax.jit(jax.shard_map(plan, mesh=devices, in_specs=spec, out_specs=spec))(loads), Plan(*expected))


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("spec", [("layers",), (None, "layers"), ()], ids=str)
def test_sharded_arrays(weight: jax.Array, axis_type: AxisType, spec: tuple[str | None, ...]) -> None:
    sharding = NamedSharding(mesh((4,), ("layers",), axis_type), PartitionSpec(*spec))
    loads = jax.device_put(weight, sharding)
    result = plan_for(loads)
    assert_same(result, plan_for(weight))
    assert_same(jax.jit(plan_for)(loads), result)
    assert result.phy2log.sharding.device_set == sharding.device_set
    packs, experts = balanced_packing(loads, 8), replicate_experts(loads, 80)
    assert_same(packs, balanced_packing(weight, 8))
    assert_same(experts, replicate_experts(weight, 80))
    for plan in (result, plan_for(weight)):  # sharded like the loads, or not at all
        assert np.array_equal(evaluate(plan, loads, 8).doubled, evaluate(plan_for(weight), weight, 8).doubled)


def test_inside_a_training_step(weight: jax.Array) -> None:
    def loss(logits: jax.Array) -> jax.Array:
        load = jnp.sum(jax.nn.softmax(logits), axis=0)  # [layers, experts], depends on what is trained
        plan = plan_for(load)
        share = load / plan.logcnt.astype(load.dtype)
        return jnp.sum(share**2)

    def loss_of_a_fixed_plan(logits: jax.Array, logcnt: jax.Array) -> jax.Array:
        share = jnp.sum(jax.nn.softmax(logits), axis=0) / logcnt
        return jnp.sum(share**2)

    logits = jnp.stack([jnp.log(weight)] * 3)
    counts = plan_for(jnp.sum(jax.nn.softmax(logits), axis=0)).logcnt
    expected = jax.grad(loss_of_a_fixed_plan)(logits, counts.astype(jnp.float32))
    for transform in (jax.grad, lambda f: jax.jit(jax.grad(f)), jax.jacfwd, lambda f: jax.grad(jax.checkpoint(f))):
        np.testing.assert_allclose(transform(loss)(logits), expected, rtol=1e-4)


def test_export(weight: jax.Array) -> None:
    def step(weight: jax.Array) -> Any:
        plan = plan_for(weight)
        return plan, evaluate(plan, weight, 8)

    exported = export.export(jax.jit(step))(jax.ShapeDtypeStruct(weight.shape, weight.dtype))
    plan, report = export.deserialize(exported.serialize()).call(weight)
    assert_same(plan, plan_for(weight))
    assert_same(report, evaluate(plan, weight, 8))


def test_a_plan_is_a_pytree(weight: jax.Array) -> None:
    doubled = jax.tree.map(lambda x: 2 * x, plan_for(weight))
    assert isinstance(doubled, Plan)
    assert len(jax.tree.leaves(doubled)) == 3


def test_indices_of_many_experts_fit_32_bits() -> None:
    weight = np.random.default_rng(3).random((1, 600_000)).astype(np.float32)
    assert_same(replicate_experts(jnp.asarray(weight), 604_000), replicate_experts(weight, 604_000))
    # Idle ones on one GPU: 2^15 items, and as many cells.
    weight = np.where(np.arange(2**16) % 2 == 0, weight[:, : 2**16], 0)
    assert_same(balanced_packing(jnp.asarray(weight), 2), balanced_packing(weight, 2))


def test_index_type_follows_x64(weight: jax.Array) -> None:
    expected = plan_for(weight)
    assert {x.dtype for x in expected} == {np.dtype(np.int32)}
    with jax.enable_x64(True):
        result = plan_for(jnp.asarray(np.asarray(weight), dtype=jnp.float64))
        assert {x.dtype for x in result} == {np.dtype(np.int64)}
        assert_same(result, expected)


def test_loads_that_round_to_the_smallest_normal_number_count_alike() -> None:
    tie = 2.0**-126 * (1 - 2.0**-24)  # float32 takes it for 2^-126, which XLA takes for zero
    weight = np.random.default_rng(2).choice([tie, 2.0**-126, 2.0**-125, 3 * 2.0**-125], (4, 16))
    with jax.enable_x64(True):
        result = replicate_experts(jnp.asarray(weight), 24)
    assert_same(result, replicate_experts(weight, 24))


def test_the_plan_is_made_where_the_loads_are(weight: jax.Array) -> None:
    device = jax.devices("cpu")[2]
    result = plan_for(jax.device_put(weight, device))
    assert [x.devices() for x in result] == [{device}] * 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
def test_bad_traced_loads_count_as_zero(weight: jax.Array, bad: float) -> None:
    given = weight.at[3, 7].set(bad)
    assert_same(jax.jit(plan_for)(given), plan_for(weight.at[3, 7].set(0)))
    with pytest.raises(ValueError, match=r"1 load that is NaN, infinite or negative, the first .* at \[3, 7\]"):
        plan_for(jax.device_put(given, jax.devices("cpu")[0]))


def test_traced_values_cannot_be_checked(weight: jax.Array) -> None:
    with pytest.raises(TypeError, match=r"call check_loads outside of jax\.jit"):
        jax.jit(check_loads)(weight)


def test_traced_sizes_are_refused(weight: jax.Array) -> None:
    with pytest.raises(TypeError, match="num_gpus must be a positive integer"):
        jax.jit(lambda weight, gpus: rebalance_experts(weight, 80, 8, 2, gpus))(weight, 8)
