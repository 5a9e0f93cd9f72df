"""Native code inside of JAX's programs on a CPU, for plans that follow others or are for samples."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp import frontier, rebalance_experts
from eplb_xp.backends.launching import from_numpy, searching, xla
from eplb_xp.backends.takeover import NATIVE, OFF, SWITCH
from tests.support.jax_kernels import planned_shapes
from tests.support.libraries import NumPyArray
from tests.support.native import needs_native
from tests.support.threads import at_once

pytestmark = needs_native

SIZES = (24, 4, 2, 4)
LAYERS = PartitionSpec("layers")
RNG = np.random.default_rng(0)
LOADS = RNG.lognormal(0, 1, (4, 16)).astype(np.float32)
PREVIOUS = rebalance_experts(RNG.lognormal(0, 1, (4, 16)).astype(np.float32), *SIZES).phy2log.astype(np.int32)
PREVIOUS[1, ::5] = -1
BUDGET = np.array([0, 3, 9, 24], np.int32)


class Given(NamedTuple):
    """What all steps are given."""

    previous: Any  # [layers, replicas]
    budget: Any  # [layers]
    weight: Any  # [layers, experts]


GIVEN = Given(PREVIOUS, BUDGET, LOADS)


def follow(given: Given) -> Any:
    return rebalance_experts(given.weight, *SIZES, previous=given.previous, max_moves=3)


def follow_or_renew(given: Given) -> Any:
    return rebalance_experts(given.weight, *SIZES, previous=given.previous, max_moves=given.budget, min_gain=0.01)


def renew(given: Given) -> Any:
    return rebalance_experts(given.weight, *SIZES, previous=given.previous)


def bought(given: Given) -> Any:
    return frontier(given.weight, *SIZES, previous=given.previous, max_moves=4)


def for_samples(given: Given) -> Any:
    xp = jnp if isinstance(given.weight, jax.Array) else np
    return rebalance_experts(xp.stack([given.weight, given.weight[:, ::-1]]), *SIZES, policy="swap")


# What is called, and the step that it takes.
STEPS: dict[Callable[[Given], Any], str] = {
    follow: "follow",
    follow_or_renew: "follow_or_renew",
    renew: "renew",
    bought: "frontier",
    for_samples: "plan_for_samples",
}
every_step = pytest.mark.parametrize("step", STEPS, ids=STEPS.values())


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, NATIVE)


def expected(step: Callable[[Given], Any], given: Given = GIVEN) -> Any:
    """By the once-written code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, OFF)
        return step(Given(*map(np.asarray, given)))


def assert_same(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    for name, ours, theirs in zip(want._fields, got, want, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), theirs, err_msg=name)


def compiled(step: Callable[..., Any], name: str, given: Given) -> Any:
    """The program, in which there is native code and nothing else that plans."""
    lowered = jax.jit(functools.partial(step)).lower(given)
    text = lowered.as_text()
    assert f"@{xla.PREFIX}{name}(" in text
    assert "stablehlo.while" not in text
    return lowered.compile()


@every_step
@pytest.mark.parametrize("is_x64", [False, True])
def test_plans_are_those_of_the_once_written_code(step: Callable[[Given], Any], is_x64: bool) -> None:
    """With indices of the type that the program was traced with, as the plan in use is or not."""
    with jax.enable_x64(is_x64):
        found = compiled(step, STEPS[step], GIVEN)(GIVEN)
        assert {x.dtype for x in found[:2]} == {np.dtype(np.int64 if is_x64 else np.int32)}
        assert_same(found, expected(step))


def test_all_steps_are_there() -> None:
    assert {*STEPS.values()} == {step.__name__ for step in searching.STEPS}


@pytest.mark.parametrize("dtype", ["int8", "int32", "float16", "bfloat16"])
def test_loads_of_other_dtypes(dtype: str) -> None:
    weight = jnp.asarray(LOADS * 7).astype(dtype)
    given = GIVEN._replace(weight=weight)
    for step in (follow, bought):
        theirs = given._replace(weight=np.asarray(weight.astype(jnp.float32)))
        assert_same(jax.jit(step)(given), expected(step, theirs))


@every_step
def test_no_layers(step: Callable[[Given], Any]) -> None:
    none = Given(*(x[:0] for x in GIVEN))
    assert_same(jax.jit(step)(none), expected(step, none))


@every_step
def test_a_batch_is_planned_as_layers(step: Callable[[Given], Any]) -> None:
    batch = Given(PREVIOUS, BUDGET, np.stack([LOADS, LOADS[::-1] * 3, LOADS**2]))
    each = jax.vmap(step, in_axes=(Given(None, None, 0),))
    assert [shape[0] for shape in planned_shapes(each, batch, primitive=f"eplb_xp_{STEPS[step]}")] == [12]
    found = compiled(each, STEPS[step], batch)(batch)
    for i, weight in enumerate(batch.weight):
        assert_same(type(found)(*(x[i] for x in found)), expected(step, batch._replace(weight=weight)))


def test_in_a_scan() -> None:
    """Each plan follows the one before, as loads drift."""
    loads = RNG.lognormal(0, 0.3, (5, 4, 16)).astype(np.float32) * LOADS

    def step(previous: Any, weight: Any) -> Any:
        plan = rebalance_experts(weight, *SIZES, previous=previous, max_moves=3)
        return plan.phy2log, plan

    _, found = jax.jit(lambda: lax.scan(step, jnp.asarray(PREVIOUS), jnp.asarray(loads)))()
    previous: NumPyArray = PREVIOUS
    for i, weight in enumerate(loads):
        want = expected(follow, Given(previous, BUDGET, weight))
        assert_same(type(want)(*(x[i] for x in found)), want)
        previous = want.phy2log


@every_step
@pytest.mark.parametrize("check_vma", [True, False])
def test_devices_plan_their_layers(step: Callable[[Given], Any], check_vma: bool) -> None:
    mesh = jax.make_mesh((4,), ("layers",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu")[:4])
    given = jax.device_put(GIVEN, NamedSharding(mesh, LAYERS))
    each = jax.shard_map(step, mesh=mesh, in_specs=(LAYERS,), out_specs=LAYERS, check_vma=check_vma)
    assert [shape[0] for shape in planned_shapes(each, given, primitive=f"eplb_xp_{STEPS[step]}")] == [1]
    assert_same(compiled(each, STEPS[step], given)(given), expected(step))


def test_no_gradient_flows_through() -> None:
    def squares(weight: jax.Array) -> jax.Array:
        plan = follow(Given(jnp.asarray(PREVIOUS), BUDGET, weight))
        return jnp.sum((weight / plan.logcnt.astype(jnp.float32)) ** 2)

    gradient = 2 * LOADS / expected(follow).logcnt.astype(np.float32) ** 2
    np.testing.assert_allclose(jax.jit(jax.grad(squares))(LOADS), gradient, rtol=1e-5)


def test_threads_divide_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(from_numpy.THREADS, "3")
    program = functools.partial(bought)  # of its own, because JAX keeps what it has traced
    assert "threads = dense<3>" in jax.jit(program).lower(GIVEN).as_text()
    assert_same(jax.jit(program)(GIVEN), expected(bought))


def test_several_callers_at_once() -> None:
    given = [GIVEN._replace(weight=np.roll(LOADS, shift, axis=1)) for shift in range(4)]
    wanted = [expected(follow_or_renew, each) for each in given]
    program = jax.jit(follow_or_renew)

    def work(thread: int) -> None:
        for i in range(10):
            device = jax.devices("cpu")[thread % 4]
            assert_same(program(jax.device_put(given[(i + thread) % 4], device)), wanted[(i + thread) % 4])

    at_once(work, 4)


@pytest.mark.parametrize("platforms", [("cpu",), ("cpu", "tpu")])
def test_an_exported_program_is_the_once_written_code(platforms: tuple[str, ...]) -> None:
    exported = export.export(jax.jit(functools.partial(follow)), platforms=platforms)(GIVEN)
    assert "custom_call" not in exported.mlir_module()


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_other_platforms_run_the_once_written_code(platform: str) -> None:
    traced = jax.jit(functools.partial(bought)).trace(GIVEN)
    assert xla.PREFIX in traced.lower(lowering_platforms=("cpu",)).as_text()
    assert xla.PREFIX not in traced.lower(lowering_platforms=(platform,)).as_text()


def test_what_native_code_refuses_is_left_to_the_once_written_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(searching, "MOST_CAPACITY", 5)
        searching._told.cache_clear()
        assert planned_shapes(follow, GIVEN, primitive="eplb_xp_follow") == []
    searching._told.cache_clear()
    monkeypatch.setenv(SWITCH, OFF)
    assert planned_shapes(follow, GIVEN, primitive="eplb_xp_follow") == []
