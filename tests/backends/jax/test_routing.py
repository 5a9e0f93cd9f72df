"""Routing in JAX: in a scan over layers, on ranks of a mesh, with a rank that is traced, and of concrete arrays."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import Plan, Shares, probabilities, quotas, rebalance_experts, route, share_tokens
from tests.support.jax_plans import compilations
from tests.support.libraries import NumPyArray

pytestmark = pytest.mark.usefixtures("plainly_compiled")

RNG = np.random.default_rng(0)
EXPERTS = RNG.integers(-1, 8, (3, 4, 20, 2)).astype(np.int32)  # of three layers and four ranks
COUNTS = np.stack([[np.bincount(its[its >= 0], minlength=8) for its in layer] for layer in EXPERTS]).astype(np.int32)
PLAN: Plan[NumPyArray] = rebalance_experts(RNG.pareto(1, (3, 8)), 12, 1, 1, 4, policy="ring")
SHARES = share_tokens(PLAN, COUNTS.sum(axis=1), 4)
QUOTA = quotas(SHARES, PLAN, COUNTS, num_nodes=2)
IN_JAX = Plan(*map(jnp.asarray, PLAN))


def slots(rank: int, quota: bool) -> NumPyArray:
    """What NumPy has for a rank: [layers, tokens, choices]."""
    layers = range(3)
    return np.stack([route(EXPERTS[i, rank], [x[i] for x in PLAN], QUOTA[i, rank] if quota else None) for i in layers])


@pytest.mark.parametrize("quota", [False, True])
def test_a_scan_over_layers(quota: bool) -> None:
    def layer(routed: jax.Array, its: Any) -> tuple[jax.Array, jax.Array]:
        experts, plan, until, before = its
        slot = route(experts, plan, until if quota else None, first=before)
        return routed + jnp.count_nonzero(slot >= 0), slot

    before = jnp.zeros((3, 8), jnp.int32)
    given = jnp.asarray(EXPERTS[:, 1]), IN_JAX, jnp.asarray(QUOTA[:, 1]), before
    number, found = jax.jit(lambda its: lax.scan(layer, jnp.int32(0), its))(given)
    np.testing.assert_array_equal(found, slots(1, quota))
    assert number == (EXPERTS[:, 1] >= 0).sum()


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_ranks_of_a_mesh_count_share_and_route(axis_type: AxisType) -> None:
    def on_rank(experts: jax.Array, plan: Plan[jax.Array]) -> jax.Array:
        """All layers, of this rank's tokens [layers, 1, tokens, choices]."""
        experts = experts[:, 0]
        own = jax.vmap(lambda its: jnp.bincount(jnp.where(its < 0, 8, its).ravel(), length=9)[:8])(experts)
        counts = lax.all_gather(own, "gpu", axis=1)
        shares = share_tokens(plan, lax.psum(own, "gpu"), 4)
        quota = quotas(shares, plan, counts, num_nodes=2, rank=lax.axis_index("gpu"))
        return lax.scan(lambda _, its: (_, route(*its)), 0, (experts, plan, quota))[1][:, None]

    mesh = jax.make_mesh((4,), ("gpu",), axis_types=(axis_type,), devices=jax.devices("cpu")[:4])
    cut, whole = PartitionSpec(None, "gpu"), PartitionSpec()
    experts = jax.device_put(EXPERTS, NamedSharding(mesh, cut))
    plan = jax.device_put(PLAN, NamedSharding(mesh, whole))
    found = jax.jit(jax.shard_map(on_rank, mesh=mesh, in_specs=(cut, whole), out_specs=cut))(experts, plan)
    np.testing.assert_array_equal(found, np.stack([slots(rank, True) for rank in range(4)], axis=1))


def test_sharded_tokens_are_routed_where_they_are() -> None:
    mesh = jax.make_mesh((4,), ("gpu",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:4])
    experts = jax.device_put(EXPERTS[0, 0], NamedSharding(mesh, PartitionSpec("gpu")))
    row = [jax.device_put(x[0], NamedSharding(mesh, PartitionSpec())) for x in PLAN]
    found = jax.jit(route)(experts, row)
    np.testing.assert_array_equal(found, slots(0, False)[0])
    assert found.sharding.spec[0] == "gpu"


def test_a_rank_is_traced_and_compiles_nothing_anew(caplog: pytest.LogCaptureFixture) -> None:
    run = jax.jit(lambda shares, counts, rank: quotas(shares, IN_JAX, counts, num_nodes=2, rank=rank))
    given = Shares(*map(jnp.asarray, SHARES)), jnp.asarray(COUNTS)
    run(*given, jnp.int32(0))
    with jax.log_compiles():
        for rank in range(4):
            np.testing.assert_array_equal(run(*given, jnp.int32(rank)), QUOTA[:, rank])
    assert not compilations(caplog)


def test_concrete_arrays_stay_where_they_are() -> None:
    device = jax.devices("cpu")[2]
    given: Any = jax.device_put((PLAN, SHARES, COUNTS, EXPERTS[1, 3]), device)
    plan, shares, counts, experts = given
    quota: jax.Array = quotas(shares, plan, counts, num_nodes=2, rank=3)
    likely: jax.Array = probabilities(shares, plan)
    slot = route(experts, [x[1].astype(jnp.int16) for x in plan], quota[1])
    assert {x.device for x in (quota, likely, slot)} == {device}
    assert (quota.dtype, likely.dtype, slot.dtype) == (jnp.int32, jnp.float32, jnp.int16)
    np.testing.assert_array_equal(quota, QUOTA[:, 3])
    np.testing.assert_array_equal(likely, probabilities(SHARES, PLAN))
    np.testing.assert_array_equal(slot, slots(3, True)[1])
