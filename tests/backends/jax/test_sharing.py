"""Shares in JAX: in a mesh, with a tolerance that is traced, inside other programs, exported."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import Shares, prepare_shares, rebalance_experts, share_tokens
from tests.support.jax_plans import compilations
from tests.support.libraries import NumPyArray
from tests.support.shares import assert_equal

pytestmark = pytest.mark.usefixtures("plainly_compiled")

RNG = np.random.default_rng(0)
PHY2LOG = np.concatenate(
    [
        rebalance_experts(RNG.pareto(1, (4, 8)), 12, 1, 1, 4, policy="ring").phy2log,
        np.stack([RNG.permutation(np.concatenate([np.arange(8), RNG.integers(0, 8, 4)])) for _ in range(4)]),
    ]
)
TOKENS = RNG.integers(0, 1000, (8, 8)).astype(np.int32)


def shared(phy2log: jax.Array, tokens: jax.Array, tolerance: jax.Array) -> Shares[jax.Array]:
    return share_tokens((phy2log, phy2log, tokens), tokens, 4, tolerance=tolerance)


def expected(tolerance: float, tokens: NumPyArray = TOKENS) -> Shares[NumPyArray]:
    return share_tokens((PHY2LOG, PHY2LOG, tokens), tokens, 4, tolerance=tolerance)


def as_numpy(found: Shares[jax.Array]) -> Shares[NumPyArray]:
    kinds = {"i": np.int64, "f": np.float32, "b": np.bool_}
    return Shares(*(np.asarray(x).astype(kinds[x.dtype.kind]) for x in found))


def test_a_tolerance_is_traced_and_compiles_nothing_anew(caplog: pytest.LogCaptureFixture) -> None:
    run = jax.jit(shared)
    arrays = jnp.asarray(PHY2LOG), jnp.asarray(TOKENS)
    run(*arrays, jnp.float32(0.5))
    with jax.log_compiles():
        for tolerance in (0.0, 2.0**-10, 0.25, 1.0):
            assert_equal(as_numpy(run(*arrays, jnp.float32(tolerance))), expected(tolerance))
    assert not compilations(caplog)


def test_shard_map_over_layers() -> None:
    mesh = jax.make_mesh((4,), ("layers",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:4])
    layers, whole = PartitionSpec("layers"), PartitionSpec()
    on_mesh = jax.jit(jax.shard_map(shared, mesh=mesh, in_specs=(layers, layers, whole), out_specs=layers))
    given = [jax.device_put(x, NamedSharding(mesh, layers)) for x in (PHY2LOG.astype(np.int32), TOKENS)]
    tolerance = jax.device_put(jnp.float32(0.0), NamedSharding(mesh, whole))
    found = on_mesh(*given, tolerance)
    assert_equal(as_numpy(found), expected(0.0))
    assert found.share.sharding.device_set == set(mesh.devices.flat)


def test_exported_programs_return_shares() -> None:
    arrays = jnp.asarray(PHY2LOG), jnp.asarray(TOKENS)
    program = export.export(jax.jit(shared))(*arrays, jnp.float32(0.0)).serialize()
    found = export.deserialize(program).call(*arrays, jnp.float32(0.0))
    assert isinstance(found, Shares)
    assert_equal(as_numpy(found), expected(0.0))


def test_concrete_arrays_stay_where_they_are() -> None:
    device = jax.devices("cpu")[2]
    arrays = [jax.device_put(x, device) for x in (PHY2LOG.astype(np.int32), TOKENS)]
    prepared = prepare_shares((arrays[0], arrays[0], arrays[1]), 4)
    found = share_tokens((arrays[0], arrays[0], arrays[1]), arrays[1], 4, prepared=prepared, tolerance=0.0)
    assert {x.device for x in (*found, *prepared)} == {device}
    assert_equal(as_numpy(found), expected(0.0))


def test_tokens_that_are_too_many_under_jit_are_halved() -> None:
    many = TOKENS.copy()
    many[0] = 2**31 - 1
    many[1, 0] = -7
    halved = many.copy()
    halved[0] = 2**26  # each counts as 2^30, and eight halved three times are still one token too many
    halved[1, 0] = 0
    found = jax.jit(shared)(jnp.asarray(PHY2LOG), jnp.asarray(many), jnp.float32(0.0))
    assert_equal(as_numpy(found), expected(0.0, halved))
