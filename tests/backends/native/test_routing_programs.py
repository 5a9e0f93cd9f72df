"""Native code inside of JAX's programs on a CPU, for quotas and slots of tokens."""

import functools
import logging
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import export, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import Plan, Shares, quotas, rebalance_experts, route, share_tokens
from eplb_xp.algorithms.routing import quotas as dividing
from eplb_xp.algorithms.routing import route as routing
from eplb_xp.backends.jax import LIBRARY as JAX
from eplb_xp.backends.launching import from_numpy, quotas_from_jax, routes_from_jax, routes_from_numpy, xla
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import NATIVE, OFF, SWITCH, TRITON
from tests.backends.launching.test_routes_from_jax_programs import in_jax, routed
from tests.backends.launching.test_routes_from_jax_programs import made as drawn
from tests.backends.native.test_routing import maps
from tests.support.jax_kernels import planned_shapes
from tests.support.libraries import NumPyArray
from tests.support.native import natively, needs_native
from tests.support.route_kernels import expected
from tests.support.routing import any_counts, any_tokens

pytestmark = needs_native

LAYERS = PartitionSpec("layers")
every_way = pytest.mark.parametrize("way", ["quota", "turn"])
PRIMITIVES = {"quota": "eplb_xp_route_by_quota", "turn": "eplb_xp_route_in_turn"}

RNG = np.random.default_rng(0)
COUNTS = RNG.integers(0, 50, (6, 4, 8)).astype(np.int32)
PLAN: Plan[NumPyArray] = rebalance_experts(RNG.pareto(1, (6, 8)), 12, 1, 1, 4, policy="ring")
SHARES = share_tokens(PLAN, COUNTS.sum(axis=1), 4)
QUOTA = quotas(SHARES, PLAN, COUNTS, num_nodes=2)
GIVEN = jax.tree.map(lambda x: x.astype(np.int32) if x.dtype == np.int64 else x, (SHARES, PLAN, COUNTS))


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, NATIVE)


def divided(shares: Any, plan: Any, counts: Any) -> Any:
    return quotas(shares, plan, counts, num_nodes=2)


def compiled(function: Callable[..., Any], *arrays: Any, target: str) -> Any:
    """The program, in which there is native code and nothing else that sorts or searches."""
    lowered = jax.jit(functools.partial(function)).lower(*arrays)
    text = lowered.as_text()
    assert f"@{xla.PREFIX}{target}(" in text
    assert "stablehlo.sort" not in text
    assert "stablehlo.while" not in text
    return lowered.compile()


def made(function: Callable[..., Any], *arrays: Any, target: str) -> Any:
    return np.asarray(compiled(function, *arrays, target=target)(*arrays))


@settings(max_examples=15)
@given(plan=maps(), seed=st.integers(0, 2**32 - 1), most=st.sampled_from([1, 30, 10**6]))
def test_quotas_are_those_of_the_once_written_code(plan: Any, seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    drawn_for_it, nodes = any_counts(rng, plan, most)
    arrays = [x.astype(np.int32) for x in drawn_for_it]
    rank = rng.integers(-1, plan[-1] + 1, (3, 1)).astype(np.int32)
    for step, its in ((dividing.quotas, arrays), (dividing.quotas_of_rank, [rank, *arrays])):
        call = functools.partial(getattr(quotas_from_jax, step.__name__), JAX, num_nodes=nodes)
        with natively():
            found = made(lambda *x, call=call: call(*x)[0], *its, target="quotas")
        np.testing.assert_array_equal(found, LIBRARY.call(step, *its, num_nodes=nodes)[0])


@settings(max_examples=15)
@given(plan=maps(), seed=st.integers(0, 2**32 - 1), most=st.sampled_from([1, 4, 12]), is_x64=st.booleans())
def test_slots_are_those_of_the_once_written_code(plan: Any, seed: int, most: int, is_x64: bool) -> None:
    drawn_for_it = any_tokens(np.random.default_rng(seed), plan, most)
    arrays = [x.astype(np.int64 if is_x64 else np.int32) for x in drawn_for_it]
    for step, its in ((routing.route_in_turn, arrays[1:]), (routing.route_by_quota, arrays)):
        call = functools.partial(getattr(routes_from_jax, step.__name__), JAX)
        with natively(), jax.enable_x64(is_x64):
            found = made(lambda *x, call=call: call(*x)[0], *its, target="route")
        np.testing.assert_array_equal(found, LIBRARY.call(step, *its)[0])


@every_way
def test_numbers_go_round_as_those_of_xla_do(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 32 bits, where more tokens were before than fit."""
    arrays = [*in_jax(drawn(way))]
    arrays[3] = jnp.full_like(arrays[3], 2**31 - 3)
    found = made(routed, *arrays, target="route")
    monkeypatch.setenv(SWITCH, TRITON)
    np.testing.assert_array_equal(found, jax.jit(functools.partial(routed))(*arrays))


@every_way
def test_slots_are_of_the_dtype_of_the_plan(way: str) -> None:
    its = drawn(way, dtype="int64")
    its = its._replace(log2phy=its.log2phy.astype(np.int16), first=its.first + 2**40)
    with jax.enable_x64(True):
        found = made(routed, *in_jax(its), target="route")
    np.testing.assert_array_equal(found, expected(its), strict=True)


@every_way
def test_batches_are_rows_and_layers_of_a_scan_are_steps(way: str) -> None:
    its = drawn(way, (3, 2))
    arrays = in_jax(its)
    both = jax.vmap(jax.vmap(routed))
    assert planned_shapes(both, *arrays, primitive=PRIMITIVES[way]) == [(6, 10, 2)]
    np.testing.assert_array_equal(made(both, *arrays, target="route"), expected(its))
    scanned = jax.vmap(lambda *its: lax.scan(lambda _, one: (_, routed(*one)), 0, its)[1], in_axes=1, out_axes=1)
    assert planned_shapes(scanned, *arrays, primitive=PRIMITIVES[way]) == [(2, 10, 2)]
    np.testing.assert_array_equal(jax.jit(scanned)(*arrays), expected(its))


def test_quotas_of_a_batch() -> None:
    several = jnp.stack([COUNTS, COUNTS[:, ::-1]])
    shares = [share_tokens(PLAN, np.asarray(x).sum(axis=1), 4) for x in several]
    its = jax.tree.map(lambda *x: np.stack(x).astype(np.int32), *shares)
    found = made(jax.vmap(divided, in_axes=(0, None, 0)), its, GIVEN[1], several, target="quotas")
    for each, share, counts in zip(found, shares, several, strict=True):
        np.testing.assert_array_equal(each, quotas(share, PLAN, np.asarray(counts), num_nodes=2))


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("check_vma", [True, False])
def test_ranks_of_a_mesh_share_divide_and_route(axis_type: AxisType, check_vma: bool) -> None:
    tokens = RNG.integers(-1, 8, (6, 4, 20, 2)).astype(np.int32)
    counts = np.stack([[np.bincount(its[its >= 0], minlength=8) for its in layer] for layer in tokens]).astype(np.int32)

    def on_rank(experts: jax.Array, plan: Plan[jax.Array], counts: jax.Array) -> jax.Array:
        """All layers, of this rank's tokens [layers, 1, tokens, choices]."""
        shares = share_tokens(plan, counts.sum(axis=1), 4)
        quota = quotas(shares, plan, counts, num_nodes=2, rank=lax.axis_index("gpu"))
        return jax.vmap(route)(experts[:, 0], plan, quota)[:, None]

    mesh = jax.make_mesh((4,), ("gpu",), axis_types=(axis_type,), devices=jax.devices("cpu")[:4])
    cut, whole = PartitionSpec(None, "gpu"), PartitionSpec()
    given_to_it = (
        jax.device_put(tokens, NamedSharding(mesh, cut)),
        *jax.device_put((GIVEN[1], counts), NamedSharding(mesh, whole)),
    )
    specs = cut, whole, whole
    each = jax.shard_map(on_rank, mesh=mesh, in_specs=specs, out_specs=cut, check_vma=check_vma)
    text = jax.jit(each).lower(*given_to_it).as_text()
    for step in ("prepare", "share", "quotas", "route"):
        assert f"@{xla.PREFIX}{step}(" in text
    quota = quotas(share_tokens(PLAN, counts.sum(axis=1), 4), PLAN, counts, num_nodes=2)
    want = [
        [route(tokens[i, rank], [x[i] for x in PLAN], quota[i, rank]) for rank in range(4)] for i in range(len(tokens))
    ]
    np.testing.assert_array_equal(jax.jit(each)(*given_to_it), want)


def test_quotas_that_do_not_ascend_are_an_error() -> None:
    arrays = [*in_jax(drawn("quota"))]
    program = compiled(routed, *arrays, target="route")
    arrays[4] = -jnp.arange(arrays[4].size, dtype=jnp.int32).reshape(arrays[4].shape) + 100
    arrays[2] = jnp.full_like(arrays[2], 4)
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"INVALID_ARGUMENT.*quotas that ascend"):
        jax.block_until_ready(program(*arrays))


def test_quotas_of_indices_of_64_bits_are_left_to_the_once_written_code(caplog: pytest.LogCaptureFixture) -> None:
    with jax.enable_x64(True), caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        text = jax.jit(functools.partial(divided)).lower(*GIVEN).as_text()
    assert xla.PREFIX not in text
    assert "native code divides shares in programs whose indices are of 32 bits" in caplog.text


def test_threads_divide_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(from_numpy.THREADS, "3")
    program = jax.jit(functools.partial(divided))  # of its own, because JAX keeps what it has traced
    assert "threads = dense<3>" in program.lower(*GIVEN).as_text()
    np.testing.assert_array_equal(program(*GIVEN), QUOTA)


@pytest.mark.parametrize("platforms", [("cpu",), ("cpu", "tpu")])
def test_an_exported_program_is_the_once_written_code(platforms: tuple[str, ...]) -> None:
    for function, arrays in ((divided, GIVEN), (routed, in_jax(drawn("quota")))):
        exported = export.export(jax.jit(functools.partial(function)), platforms=platforms)(*arrays)
        assert "custom_call" not in exported.mlir_module()


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_other_platforms_run_the_once_written_code(platform: str) -> None:
    for function, arrays in ((divided, GIVEN), (routed, in_jax(drawn("turn")))):
        traced = jax.jit(functools.partial(function)).trace(*arrays)
        assert xla.PREFIX in traced.lower(lowering_platforms=("cpu",)).as_text()
        assert xla.PREFIX not in traced.lower(lowering_platforms=(platform,)).as_text()


def test_the_variable_is_read_when_a_program_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, number in ((NATIVE, 1), (OFF, 0), (TRITON, 0)):
        monkeypatch.setenv(SWITCH, value)
        assert len(planned_shapes(divided, *GIVEN, primitive="eplb_xp_quotas")) == number
        assert len(planned_shapes(routed, *in_jax(drawn("turn")), primitive=PRIMITIVES["turn"])) == number


def test_what_native_code_refuses_is_left_to_the_once_written_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_from_numpy, "MOST_PAIRS", 47)
    assert planned_shapes(divided, *GIVEN, primitive="eplb_xp_quotas") == []
    experts, *others = in_jax(drawn("turn"))
    assert planned_shapes(routed, experts[:0], *others, primitive=PRIMITIVES["turn"]) == []


def test_shares_without_layers_have_no_quotas() -> None:
    none: tuple[Shares[Any], Plan[Any], Any] = jax.tree.map(lambda x: x[:0], GIVEN)
    assert made(divided, *none, target="quotas").shape == (0, *QUOTA.shape[1:])
