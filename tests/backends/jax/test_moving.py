"""Moves, maps and loads of slots in JAX: in a mesh, batched, exported, and of concrete arrays."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import Moves, expert_loads, logical_maps, moves, rebalance_experts
from tests.support.jax_plans import compilations

pytestmark = pytest.mark.usefixtures("plainly_compiled")

RNG = np.random.default_rng(0)
PREVIOUS, PHY2LOG = (rebalance_experts(RNG.pareto(1, (8, 8)), 16, 1, 1, 8).phy2log.astype(np.int32) for _ in range(2))
PREVIOUS[RNG.random(PREVIOUS.shape) < 0.1] = -1
LOAD = RNG.lognormal(0, 4, (8, 16)).astype(np.float32)


def everything(previous: Any, phy2log: Any, load: Any) -> tuple[Any, ...]:
    """Of loads as floats, as integers, and of two steps; layers are in front."""
    steps = expert_loads(
        jnp.stack([load, 2 * load]) if isinstance(load, jax.Array) else np.stack([load, 2 * load]), previous, 8
    )
    counts = expert_loads(phy2log, previous, 8)
    return (
        *moves(previous, phy2log, 8, 2),
        *logical_maps(previous, 8, 9),
        counts,
        expert_loads(load, previous, 8),
        steps[1],
    )


WANT = everything(PREVIOUS, PHY2LOG, LOAD)


def assert_as_numpy(found: tuple[Any, ...], want: tuple[Any, ...] = WANT) -> None:
    for ours, theirs in zip(found, want, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_layers_of_a_mesh(axis_type: AxisType) -> None:
    mesh = jax.make_mesh((4,), ("layers",), axis_types=(axis_type,), devices=jax.devices("cpu")[:4])
    spec = PartitionSpec("layers")
    arrays = [jax.device_put(x, NamedSharding(mesh, spec)) for x in (PREVIOUS, PHY2LOG, LOAD)]
    assert_as_numpy(jax.jit(jax.shard_map(everything, mesh=mesh, in_specs=spec, out_specs=spec))(*arrays))
    found = jax.jit(everything)(*arrays)
    assert_as_numpy(found)
    assert found[0].sharding.device_set == set(mesh.devices.flat)
    assert_as_numpy(everything(*arrays))


def test_a_batch_of_plans() -> None:
    arrays = [jnp.stack([x, x[::-1]]) for x in map(jnp.asarray, (PREVIOUS, PHY2LOG, LOAD))]
    found = jax.jit(jax.vmap(everything))(*arrays)
    for number, order in enumerate((slice(None), slice(None, None, -1))):
        assert_as_numpy(tuple(x[number] for x in found), tuple(x[order] for x in WANT))


def test_exported_programs_return_moves() -> None:
    def step(previous: jax.Array, phy2log: jax.Array) -> Moves[jax.Array]:
        return moves(previous, phy2log, 8, 2)

    arrays = jnp.asarray(PREVIOUS), jnp.asarray(PHY2LOG)
    found: Any = export.deserialize(export.export(jax.jit(step))(*arrays).serialize()).call(*arrays)
    assert isinstance(found, Moves)
    assert_as_numpy(found, WANT[:5])


def test_one_compilation_for_each_shape(caplog: pytest.LogCaptureFixture) -> None:
    run = jax.jit(lambda previous, phy2log: moves(previous, phy2log, 8))
    arrays = jnp.asarray(PREVIOUS), jnp.asarray(PHY2LOG)
    run(*arrays)
    with jax.log_compiles():
        run(arrays[0][::1], arrays[1])
        assert_as_numpy(run(*arrays), moves(PREVIOUS, PHY2LOG, 8))
    assert not compilations(caplog)


def test_concrete_arrays_stay_where_they_are() -> None:
    device = jax.devices("cpu")[2]
    arrays = [jax.device_put(x, device) for x in (PREVIOUS, PHY2LOG, LOAD)]
    found = everything(*arrays)
    assert {x.device for x in found} == {device}
    assert {x.dtype for x in found} == {jnp.dtype(name) for name in ("int32", "bool", "float32")}
    assert_as_numpy(found)


def test_bytes_need_values() -> None:
    def step(previous: jax.Array, phy2log: jax.Array) -> int:
        return moves(previous, phy2log, 8).bytes(1).total

    with pytest.raises(TypeError, match=r"call Moves\.bytes outside of jax\.jit"):
        jax.jit(step)(PREVIOUS, PHY2LOG)
