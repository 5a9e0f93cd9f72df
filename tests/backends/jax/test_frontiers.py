"""Frontiers in JAX: traced loads, plans and moves, batches, and a mesh."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import Frontier, frontier, plan_at, rebalance_experts, spend
from tests.support.jax_plans import assert_same

pytestmark = pytest.mark.usefixtures("plainly_compiled")

RNG = np.random.default_rng(0)
LAYERS, SIZES = 4, (12, 1, 1, 4)
WEIGHT = RNG.lognormal(0, 1, (LAYERS, 8)).astype(np.float32)
PREVIOUS = rebalance_experts(WEIGHT[:, ::-1], *SIZES, policy="greedy").phy2log.astype(np.int32)


def bought(previous: Any, weight: Any) -> Frontier[Any]:
    """Of up to four moves."""
    return frontier(weight, *SIZES, previous=previous, max_moves=4)


WANT = bought(PREVIOUS, WEIGHT)
run = jax.jit(bought)
at = jax.jit(plan_at)
divided = jax.jit(spend)


def test_traced_loads_and_plans() -> None:
    assert_same(run(jnp.asarray(PREVIOUS), jnp.asarray(WEIGHT)), WANT)


def test_traced_moves_and_totals() -> None:
    found = run(jnp.asarray(PREVIOUS), jnp.asarray(WEIGHT))
    for moves in (0, 2, 4, 9):
        assert_same(at(found, jnp.int32(moves)), plan_at(WANT, moves))
    each = np.array([0, 3, 1, 4], np.int32)
    assert_same(at(found, jnp.asarray(each)), plan_at(WANT, each))
    # Out of range it counts as the nearest that is not.
    assert_same(at(found, jnp.int32(-2)), plan_at(WANT, 0))
    for total in (0, 3, 16, 99):
        np.testing.assert_array_equal(divided(found, jnp.int32(total)), spend(WANT, total))
    np.testing.assert_array_equal(divided(found, jnp.int32(-5)), np.zeros(LAYERS))


def test_batches() -> None:
    shifted = np.stack([np.roll(WANT.busiest, i, axis=0) for i in range(3)])
    totals = np.array([1, 5, 9], np.int32)

    def of_one(busiest: Any, total: Any) -> Any:
        return spend(Frontier(busiest, busiest, busiest, busiest), total)

    made = jax.jit(jax.vmap(of_one))(jnp.asarray(shifted), jnp.asarray(totals))
    by_total = jax.jit(jax.vmap(of_one, in_axes=(None, 0)))(jnp.asarray(shifted[0]), jnp.asarray(totals))
    for i in range(3):
        np.testing.assert_array_equal(made[i], of_one(shifted[i], int(totals[i])))
        np.testing.assert_array_equal(by_total[i], of_one(shifted[0], int(totals[i])))


def test_layers_of_a_mesh() -> None:
    mesh = jax.make_mesh((4,), ("layers",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:4])
    layers = PartitionSpec("layers")
    given = [jax.device_put(x, NamedSharding(mesh, layers)) for x in (PREVIOUS, WEIGHT)]
    found = jax.jit(jax.shard_map(bought, mesh=mesh, in_specs=(layers, layers), out_specs=layers))(*given)
    assert_same(found, WANT)
    assert found.busiest.sharding.device_set == set(mesh.devices.flat)


def test_concrete_arrays_stay_where_they_are() -> None:
    device = jax.devices("cpu")[2]
    found = bought(*(jax.device_put(x, device) for x in (PREVIOUS, WEIGHT)))
    assert {x.device for x in (*found, *plan_at(found, 2), spend(found, 3))} == {device}
    assert_same(found, WANT)
    np.testing.assert_array_equal(spend(found, 3), spend(WANT, 3))
