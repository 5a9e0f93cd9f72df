"""Kernels for plans of JAX arrays that follow others: which they may make, and what the program does on a CPU."""

import functools
import logging
import sys
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import Plan, rebalance_experts
from eplb_xp.backends.kernels.following.beginning import begin
from eplb_xp.backends.kernels.following.follow import follow as choose
from eplb_xp.backends.kernels.following.path import walk
from eplb_xp.backends.launching import following as launching
from eplb_xp.backends.takeover import SWITCH
from tests.support.follow_kernels import launch_of
from tests.support.jax_follows import (
    MOVES,
    PRIMITIVE,
    SHAPE,
    arrays_of,
    assert_each_followed,
    assert_followed,
    case,
    followed,
    followed_shapes,
)
from tests.support.jax_kernels import CUSTOM_CALL, planned_shapes

# What is tested is what is traced and lowered.
pytestmark = pytest.mark.usefixtures("plainly_compiled", "with_gpu")

CASE = case()


def test_other_platforms_run_the_once_written_code() -> None:
    """Of a batch too, whose layers are layers of one plan."""
    given = arrays_of(CASE)
    assert followed_shapes(followed, *given) == [(4, 1, 8)]
    each = jax.vmap(functools.partial(followed), in_axes=(None, 0))
    loads = jnp.stack([given[1], given[1] * 2])
    assert followed_shapes(each, given[0], loads) == [(8, 1, 8)]
    lowered = jax.jit(each).lower(given[0], loads)
    assert CUSTOM_CALL not in lowered.as_text()
    assert_each_followed(lowered.compile()(given[0], loads), [CASE, CASE])


def test_explicit_axes_are_left_to_xla(caplog: pytest.LogCaptureFixture) -> None:
    mesh = jax.make_mesh((4,), ("layers",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:4])
    given = [jax.device_put(x, NamedSharding(mesh, PartitionSpec("layers"))) for x in arrays_of(CASE)]
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert followed_shapes(followed, *given) == []
    assert "follow runs without its kernel: the loads are sharded over explicit axes of a mesh" in caplog.text


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What kernels are called with, in order; what calls them is a stand-in."""
    made: list[dict[str, Any]] = []

    def triton_call(*arguments: Any, kernel: Any, out_shape: Any, **options: Any) -> Any:
        results = out_shape if isinstance(out_shape, tuple) else (out_shape,)
        given = (*arguments, *results, options["S"])
        made.append(dict(zip(kernel.arg_names, given, strict=True)) | {"kernel": kernel} | options)
        zeros = [jnp.zeros(x.shape, x.dtype) for x in results]
        return zeros if isinstance(out_shape, tuple) else zeros[0]

    stand_in = ModuleType("jax_triton")
    monkeypatch.setattr(stand_in, "triton_call", triton_call, raising=False)
    monkeypatch.setitem(sys.modules, "jax_triton", stand_in)
    return made


@pytest.mark.parametrize(("dtype", "in_triton"), [("int8", "int8"), ("float32", "float32"), ("int4", "int32")])
def test_for_a_gpu_a_program_calls_the_kernels(dtype: str, in_triton: str, calls: list[dict[str, Any]]) -> None:
    """With the arguments that they have."""
    previous, weight = arrays_of(CASE)
    traced = jax.jit(functools.partial(followed)).trace(previous, (weight % 7).astype(dtype))  # not traced before
    traced.lower(lowering_platforms=("cuda",))
    how = launch_of(4, SHAPE)
    assert [call["kernel"] for call in calls] == [begin, walk, walk, choose]
    assert [call["grid"] for call in calls] == list(how.programs)
    assert [call["num_warps"] for call in calls] == [4, how.sizes.warps, how.sizes.warps, 4]
    assert not any(call["enable_fp_fusion"] for call in calls)
    first, wide, narrow, last = calls
    assert (first["row_stride"], first["column_stride"], first["weight_ptr"].dtype) == (8, 1, in_triton)
    assert (first["previous_ptr"].shape, first["budget_ptr"].shape) == ((4, 12), (4, 1))
    assert last["min_gain_ptr"].shape == (4, 1)
    words = first["layers_at"], wide["paths_at"], narrow["paths_at"], last["plans_at"]
    assert [x.size for x in words] == list(how.words)
    assert [call["S"].is_narrow for call in calls] == [False, False, True, False]
    read = narrow["wide_at"], last["wide_at"], last["narrow_at"]
    assert [x.size for x in read] == [how.words[1], how.words[1], how.words[2]]
    for name, theirs in zip(Plan._fields, jax.eval_shape(followed, previous, weight), strict=True):
        assert (last[name].shape, last[name].dtype) == (theirs.shape, theirs.dtype)


def test_a_batch_beyond_the_limits_is_left_to_xla(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its layers would not be."""
    monkeypatch.setattr(launching, "MOST_WORDS", sum(launch_of(4, SHAPE).words))
    monkeypatch.setitem(sys.modules, "jax_triton", None)  # it would be imported for the kernels
    previous, weight = arrays_of(CASE)
    each = jax.vmap(functools.partial(followed), in_axes=(None, 0))
    given = previous, jnp.stack([weight, weight + 1])
    assert followed_shapes(each, *given) == [(8, 1, 8)]
    assert CUSTOM_CALL not in jax.jit(each).trace(*given).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("platforms", [("cuda",), ("cpu", "cuda")])
def test_an_exported_program_holds_no_kernels(platforms: tuple[str, ...]) -> None:
    exported = export.export(jax.jit(followed), platforms=platforms)(*arrays_of(CASE))
    assert exported.platforms == platforms
    assert "triton" not in exported.mlir_module()


@pytest.mark.parametrize(
    ("samples", "options", "reason"),
    [
        (1, {"gpus_per_node": 2, "far_cost": 3}, "where all moves count the same, got far_cost=3"),
        (2, {}, "with loads of one sample, got 2"),
    ],
    ids=["far moves", "samples"],
)
def test_what_kernels_do_not_know_is_left_to_xla(
    samples: int, options: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    def follow(previous: Any, weight: Any) -> Plan[Any]:
        return rebalance_experts(weight, 12, 1, 1, 4, previous=previous, max_moves=MOVES, **options)

    previous, weight = arrays_of(CASE)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert followed_shapes(follow, previous, weight if samples == 1 else jnp.stack([weight] * samples)) == []
    assert f"follow runs without its kernel: the kernels follow a plan {reason}" in caplog.text


def test_of_plans_that_may_be_fresh_kernels_search() -> None:
    def follow(previous: Any, weight: Any) -> Plan[Any]:
        return rebalance_experts(weight, 12, 1, 1, 4, previous=previous, max_moves=3)

    given = arrays_of(CASE)
    assert planned_shapes(follow, *given, primitive=f"{PRIMITIVE}_or_renew") == [(4, 1, 8)]
    assert planned_shapes(follow, *given) == [(4, 8)]


def test_for_a_gpu_so_does_one_whose_plan_may_be_fresh(calls: list[dict[str, Any]]) -> None:
    """And the once-written code finds whether it is better."""
    previous, weight = arrays_of(CASE)
    budget = jnp.full(4, 9, jnp.int32)

    @jax.jit
    def follow(previous: Any, budget: Any, weight: Any) -> Plan[Any]:
        return rebalance_experts(weight, 12, 1, 1, 4, previous=previous, max_moves=budget, policy="greedy")

    lowered = follow.trace(previous, budget, weight).lower(lowering_platforms=("cuda",))
    kernels = [call["kernel"] for call in calls if call["kernel"] in (begin, walk, choose)]
    assert kernels == [begin, walk, walk, choose]
    assert "stablehlo.while" in lowered.as_text()


def test_the_switch_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert followed_shapes(followed, *arrays_of(CASE)) == [(4, 1, 8)]
    monkeypatch.setenv(SWITCH, "0")
    assert followed_shapes(followed, *arrays_of(CASE)) == []


def test_nothing_is_traced_for_arrays_in_host_memory() -> None:
    assert_followed(followed(*arrays_of(CASE)), CASE)
    assert np.asarray(followed(*arrays_of(CASE)).phy2log).dtype == np.int32
