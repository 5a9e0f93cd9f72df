"""The kernels of routes for JAX arrays: which steps of a program they may take, and what it does on a CPU."""

import functools
import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import route
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching.routing import FEW
from eplb_xp.backends.takeover import SWITCH
from tests.support.jax_kernels import CUSTOM_CALL, launched, planned_shapes
from tests.support.libraries import NumPyArray
from tests.support.route_kernels import Given, drawn, each, expected

LAYERS = PartitionSpec("layers")
WAYS = {"quota": "eplb_xp_route_by_quota", "turn": "eplb_xp_route_in_turn"}
every_way = pytest.mark.parametrize("way", WAYS)
# What is tested is what is traced and lowered.
pytestmark = pytest.mark.usefixtures("plainly_compiled")


@pytest.fixture(autouse=True)
def _with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that takes itself to have a GPU."""
    monkeypatch.setattr(from_jax, "missing", lambda: None)


def made(way: str, front: tuple[int, ...] = (), tokens: tuple[int, int] = (10, 2), dtype: str = "int32") -> Given:
    rng = np.random.default_rng(1)
    given = drawn(rng, (6, 12, 4), tokens, front=front, by_quota=way == "quota", has_first=True, dtype=dtype)
    return given._replace(experts=np.where(given.experts > 5, -1, given.experts))


def in_jax(given: Given) -> tuple[jax.Array, ...]:
    """On a CPU, in the order in which `routed` takes them."""
    quota, log2phy, logcnt, first, experts = given
    arrays = (experts, log2phy, logcnt, first, *([] if quota is None else [quota]))
    return tuple(jax.device_put(x, jax.devices("cpu")[0]) for x in arrays)


def routed(experts: Any, log2phy: Any, logcnt: Any, first: Any, quota: Any = None) -> Any:
    return route(experts, (log2phy, logcnt), quota, first=first)


def taken(function: Any, *arrays: Any, way: str) -> list[tuple[int, ...]]:
    """The shape of the tokens of each step that kernels may take."""
    return planned_shapes(function, *arrays, primitive=WAYS[way])


def assert_equal(found: Any, given: Given) -> None:
    np.testing.assert_array_equal(np.asarray(found), expected(given), strict=True)


@every_way
def test_other_platforms_run_the_once_written_code(way: str) -> None:
    given = made(way)
    arrays = in_jax(given)
    assert taken(routed, *arrays, way=way) == [(1, 10, 2)]
    lowered = jax.jit(routed).lower(*arrays)
    assert CUSTOM_CALL not in lowered.as_text()
    assert_equal(lowered.compile()(*arrays), given)


@every_way
def test_batches_are_rows_and_layers_of_a_scan_are_steps(way: str) -> None:
    given = made(way, (3, 2))
    arrays = in_jax(given)
    both = jax.vmap(jax.vmap(routed))
    assert taken(both, *arrays, way=way) == [(6, 10, 2)]
    assert_equal(jax.jit(both)(*arrays), given)
    scanned = jax.vmap(lambda *its: lax.scan(lambda _, one: (_, routed(*one)), 0, its)[1], in_axes=1, out_axes=1)
    assert taken(scanned, *arrays, way=way) == [(2, 10, 2)]
    assert_equal(jax.jit(scanned)(*arrays), given)

    # Of several batches of one plan.
    _, *others = (x[0, 0] for x in arrays)
    one = jax.vmap(routed, in_axes=(0, *[None] * len(others)))
    found = jax.jit(one)(arrays[0][0], *others)
    for batch in range(2):
        alone = each(lambda x: x[0, 0], given)._replace(experts=given.experts[0, batch])
        assert_equal(found[batch], alone)


@every_way
@pytest.mark.parametrize("check_vma", [True, False])
def test_slots_vary_in_shard_map_as_tokens_do(way: str, check_vma: bool) -> None:
    given = made(way, (4,))
    mesh = jax.make_mesh((4,), ("layers",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu")[:4])
    arrays = [jax.device_put(x, NamedSharding(mesh, LAYERS)) for x in in_jax(given)]
    sharded = jax.shard_map(jax.vmap(routed), mesh=mesh, in_specs=LAYERS, out_specs=LAYERS, check_vma=check_vma)
    assert taken(sharded, *arrays, way=way) == [(1, 10, 2)]
    assert_equal(jax.jit(sharded)(*arrays), given)


@every_way
def test_indices_are_of_the_type_that_the_program_was_traced_with(way: str) -> None:
    """Whatever the slots are of."""
    given = made(way, dtype="int64")
    given = given._replace(log2phy=given.log2phy.astype(np.int16), first=given.first + 2**40)
    with jax.enable_x64(True):
        arrays = in_jax(given)
        traced = jax.jit(routed).trace(*arrays)
    assert_equal(traced.lower().compile()(*arrays), given)


@every_way
def test_an_exported_program_holds_no_kernels(way: str) -> None:
    arrays = in_jax(made(way))
    exported = export.export(jax.jit(routed), platforms=("cuda",))(*arrays)
    assert "custom_call" not in exported.mlir_module()


@every_way
@pytest.mark.parametrize("tokens", [10, FEW], ids=["few", "many"])
def test_kernels_get_what_they_are_to_read(way: str, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = launched(monkeypatch)
    given = made(way, (3,), (tokens, 2), "int16")
    batched = jax.vmap(functools.partial(routed))
    jax.jit(batched).trace(*in_jax(given)).lower(lowering_platforms=("cuda",))
    *counted, call = calls
    programs = -(-2 * tokens // (256 if counted else 32))
    assert len(counted) == (tokens == FEW)
    assert {x["grid"] for x in calls} == {(programs, 3)}
    assert {x["ids"] for x in calls} == {2 * tokens}
    assert [x["num_warps"] for x in calls] == ([16, 8] if counted else [1])
    for name in ("log2phy", "logcnt", "first", "experts"):
        assert (call[name].shape, call[name].dtype) == (getattr(given, name).shape, np.int16)
    assert (call["slots"].shape, call["slots"].dtype) == ((3, tokens, 2), np.int16)
    assert call["quota"].shape == (call["logcnt"].shape if given.quota is None else given.quota.shape)
    for x in counted:
        assert (x["scratch"].shape, x["scratch"].dtype) == ((3 * programs * (32 + 256),), np.int16)


def without_tokens() -> tuple[NumPyArray, ...]:
    experts, *others = in_jax(made("turn"))
    return (np.asarray(experts)[:0], *map(np.asarray, others))


def test_what_the_kernels_do_not_take(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = in_jax(made("turn"))
    many = jnp.tile(arrays[0], (2**14, 1))
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert taken(routed, many, *arrays[1:], way="turn") == []
        assert taken(routed, *without_tokens(), way="turn") == []
    assert "route_in_turn runs without its kernel: the kernels route at most 262144 choices of tokens" in caplog.text
    assert "there are no tokens" in caplog.text
    # A batch can be too large where what it is made of is not.
    batch = functools.partial(jnp.broadcast_to, shape=(2**16, 10, 2))
    assert taken(lambda *its: jax.vmap(lambda one: routed(one, *its[1:]))(batch(its[0])), *arrays, way="turn")
    monkeypatch.setenv(SWITCH, "0")
    assert taken(routed, *arrays, way="turn") == []


@pytest.mark.parametrize("which", [0, 1], ids=["tokens", "plan"])
def test_explicit_axes_are_left_to_xla(which: int, caplog: pytest.LogCaptureFixture) -> None:
    mesh = jax.make_mesh((2,), ("layers",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:2])
    arrays = [*in_jax(made("turn"))]
    arrays[which] = jax.device_put(arrays[which], NamedSharding(mesh, PartitionSpec()))
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert taken(routed, *arrays, way="turn") == []
    assert "explicit axes of a mesh" in caplog.text
