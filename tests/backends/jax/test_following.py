"""Plans that follow others in JAX: with budgets that are traced, in a mesh, of concrete arrays."""

import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import Plan, Policy, rebalance_experts
from tests.support.jax_plans import assert_same, compilations

pytestmark = pytest.mark.usefixtures("plainly_compiled")

RNG = np.random.default_rng(0)
LAYERS = 8
# Without swaps, so that XLA has little to compile for fresh plans.
OPTIONS: dict[str, Any] = {"policy": Policy(rounds=0)}
SIZES = (12, 1, 1, 4)
WEIGHT = RNG.lognormal(0, 1, (2, LAYERS, 8)).astype(np.float32)
PREVIOUS = rebalance_experts(WEIGHT[0], *SIZES, **OPTIONS).phy2log.astype(np.int32)
PREVIOUS[1, ::5] = -1
BUDGET = RNG.integers(0, 9, LAYERS).astype(np.int32)


def followed(previous: Any, budget: Any, gain: Any, weight: Any) -> Plan[Any]:
    """For two samples, [samples, layers, experts]."""
    return rebalance_experts(
        weight, *SIZES, previous=previous, max_moves=budget, min_gain=gain, sample_weights=weight[:, 0, 0], **OPTIONS
    )


def expected(budget: Any = BUDGET, gain: float = 0.0, weight: Any = WEIGHT) -> Plan[Any]:
    return followed(PREVIOUS, budget, gain, weight)


GIVEN = (jnp.asarray(PREVIOUS), jnp.asarray(BUDGET), jnp.float32(0.0), jnp.asarray(WEIGHT))
run = jax.jit(followed)


def test_plans_follow() -> None:
    assert ((expected().phy2log != PREVIOUS).sum(axis=1) > 0).sum() > 3
    assert_same(run(*GIVEN), expected())


def test_budgets_and_gains_are_traced_and_compile_nothing_anew(caplog: pytest.LogCaptureFixture) -> None:
    run(*GIVEN)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for budget, gain in ((0, 0.0), (1, 0.0), (2, 0.3), (12, 0.05), (3, 1.0)):
            budgets = np.full(LAYERS, budget, np.int32)
            found = run(GIVEN[0], jax.device_put(budgets), jax.device_put(np.float32(gain)), GIVEN[3])
            assert_same(found, expected(budget, gain))
        # Out of range they count as the nearest that are not.
        found = run(GIVEN[0], jax.device_put(np.full(LAYERS, -3, np.int32)), jax.device_put(np.float32(-1)), GIVEN[3])
        assert_same(found, expected(0, 0.0))
        found = run(GIVEN[0], jax.device_put(BUDGET), jax.device_put(np.float32(np.nan)), GIVEN[3])
        assert_same(found, expected(BUDGET, 1.0))
    assert not compilations(caplog)


def test_layers_of_a_mesh() -> None:
    mesh = jax.make_mesh((4,), ("layers",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:4])
    layers, whole, second = PartitionSpec("layers"), PartitionSpec(), PartitionSpec(None, "layers")
    specs = (layers, layers, whole, second)
    # Weights of samples are those of the first layer, which each device has of its own.
    weight = np.where(np.arange(LAYERS)[None, :, None] % 2 == 0, WEIGHT[:, :1], WEIGHT)
    pairs = zip((PREVIOUS, BUDGET, np.float32(0.0), weight), specs, strict=True)
    given = [jax.device_put(x, NamedSharding(mesh, spec)) for x, spec in pairs]
    found = jax.jit(jax.shard_map(followed, mesh=mesh, in_specs=specs, out_specs=layers))(*given)
    assert_same(found, expected(weight=weight))
    assert found.phy2log.sharding.device_set == set(mesh.devices.flat)


def test_sharded_arrays() -> None:
    mesh = jax.make_mesh((4,), ("layers",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:4])
    layers = NamedSharding(mesh, PartitionSpec("layers"))
    previous, weight = (jax.device_put(x, layers) for x in (PREVIOUS, WEIGHT[0]))

    def plan(previous: Any, weight: Any) -> Plan[Any]:
        return rebalance_experts(weight, *SIZES, previous=previous, max_moves=2, **OPTIONS)

    found = plan(previous, weight)
    assert_same(found, plan(PREVIOUS, WEIGHT[0]))
    assert found.phy2log.sharding.device_set == set(mesh.devices.flat)


def test_concrete_arrays_stay_where_they_are() -> None:
    device = jax.devices("cpu")[2]
    given = [jax.device_put(x, device) for x in (PREVIOUS, BUDGET, np.float32(0), WEIGHT)]
    found = followed(*given)
    assert {x.device for x in found} == {device}
    assert_same(found, expected())
    with jax.enable_x64(True):
        wide = followed(jnp.asarray(PREVIOUS, jnp.int64), jnp.asarray(BUDGET, jnp.int64), 0.0, jnp.asarray(WEIGHT))
        assert {x.dtype for x in wide} == {np.dtype(np.int64)}
        assert_same(wide, expected())
