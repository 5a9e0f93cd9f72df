"""JAX on several devices: plans in a mesh, of sharded loads, where the loads are."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import POLICIES, Plan, balanced_packing, evaluate, rebalance_experts, replicate_experts
from tests.support.jax_plans import assert_same, plan_for

# What is tested is how programs are divided, and that is done before the code is generated.
pytestmark = pytest.mark.usefixtures("plainly_compiled")


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


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_policies_in_a_mesh(weight: jax.Array, axis_type: AxisType) -> None:
    def plan(weight: Any) -> Plan[Any]:
        policy = replace(POLICIES["multistart"], starts=2, neighbourhood="any")
        return rebalance_experts(weight, 24, 1, 1, 8, policy=policy)

    devices, spec = mesh((4,), ("layers",), axis_type), PartitionSpec("layers")
    loads = jax.device_put(weight[:, :16], NamedSharding(devices, spec))
    expected = plan(np.asarray(loads))
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


def test_the_plan_is_made_where_the_loads_are(weight: jax.Array) -> None:
    device = jax.devices("cpu")[2]
    result = plan_for(jax.device_put(weight, device))
    assert [x.devices() for x in result] == [{device}] * 3
