"""Plans in programs of JAX: compiled once, batched, exported, in a training step, and nothing leaves the device."""

import logging
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from eplb_xp import POLICIES, Plan, evaluate, rebalance_experts
from eplb_xp.backends import takeover
from tests.support.jax_plans import assert_same, compilations, plan_for


@pytest.mark.usefixtures("once_written", "plainly_compiled")
def test_one_compilation_for_each_shape(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(1)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for layers, expected in ((3, 1), (3, 1), (2, 2)):
            loads = jax.device_put(rng.random((layers, 20)).astype(np.float32))
            # No other test has these sizes.
            jax.block_until_ready(rebalance_experts(loads, 27, 1, 1, 9, policy="greedy"))
            assert len(compilations(caplog)) == expected


@pytest.mark.usefixtures("plainly_compiled")
def test_a_policy_is_static(weight: jax.Array, caplog: pytest.LogCaptureFixture) -> None:
    policies = [replace(POLICIES["multistart"], starts=2, rounds=0) for _ in range(2)]
    assert policies[0] is not policies[1]
    plan = jax.jit(rebalance_experts, static_argnums=(1, 2, 3, 4), static_argnames="policy")
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        results = [plan(weight, 80, 1, 1, 8, policy=policy) for policy in policies]
        assert len(compilations(caplog)) == 1
    assert_same(results[0], rebalance_experts(np.asarray(weight), 80, 1, 1, 8, policy=policies[0]))


def equations(jaxpr: Any) -> list[Any]:
    """The equations of a program, those of its inner programs included."""
    inner = [param for eqn in jaxpr.eqns for param in jax.tree.leaves(list(eqn.params.values()))]
    programs = [getattr(param, "jaxpr", param) for param in inner]
    return list(jaxpr.eqns) + [eqn for program in programs if hasattr(program, "eqns") for eqn in equations(program)]


@pytest.fixture
def once_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA's program, in a process with a GPU too."""
    monkeypatch.setenv(takeover.SWITCH, "0")


def program(experts: int, policy: str = "greedy") -> list[Any]:
    def plan(weight: jax.Array) -> Plan[jax.Array]:
        return rebalance_experts(weight, experts + 32, 8, 2, 8, policy=policy)

    return equations(jax.make_jaxpr(plan)(jnp.ones((2, experts))).jaxpr)


@pytest.mark.usefixtures("once_written")
def test_program_grows_with_the_logarithm_of_the_experts() -> None:
    sizes = [len(program(experts)) for experts in (512, 1024, 2048, 4096)]
    growth = np.diff(sizes)
    assert sizes[0] > 400  # the loops' bodies are counted
    assert max(growth) <= 8
    assert len(set(growth)) == 1  # the same for each doubling
    # Short rows are ranked by counting, 32 entries at a time, up to 128.
    assert max(len(program(experts)) for experts in (64, 128, 256)) <= sizes[0] + 150


@pytest.mark.usefixtures("once_written")
def test_nothing_leaves_the_device(weight: jax.Array) -> None:
    for policy in POLICIES:
        primitives = {str(eqn.primitive) for eqn in program(64, policy)}
        assert {"while", "sort"} <= primitives
        assert not [name for name in primitives if "callback" in name or "infeed" in name or "outfeed" in name]
    compiled = jax.jit(plan_for).lower(weight).compile().as_text()
    assert compiled is not None
    for word in ("callback", "infeed", "outfeed", "send(", "recv(", "custom-call"):
        assert word not in compiled


@pytest.mark.usefixtures("plainly_compiled")
def test_jit_and_vmap(weight: jax.Array) -> None:
    expected = plan_for(weight)
    assert_same(jax.jit(plan_for)(weight), expected)
    batch = jnp.stack([weight, weight[::-1] * 3])
    result = jax.jit(jax.vmap(plan_for))(batch)
    for i in range(2):
        assert_same(jax.tree.map(lambda x, i=i: x[i], result), plan_for(batch[i]))
    inner = jax.vmap(jax.vmap(plan_for))(batch[:, :, None])
    assert_same(jax.tree.map(lambda x: x[:, :, 0], inner), result)


@pytest.mark.usefixtures("plainly_compiled")
def test_inside_a_training_step(weight: jax.Array) -> None:
    def planned(load: jax.Array) -> Plan[jax.Array]:
        return rebalance_experts(load, 80, 1, 1, 8, policy="greedy")

    def loss(logits: jax.Array) -> jax.Array:
        load = jnp.sum(jax.nn.softmax(logits), axis=0)  # [layers, experts], depends on what is trained
        plan = planned(load)
        share = load / plan.logcnt.astype(load.dtype)
        return jnp.sum(share**2)

    def loss_of_a_fixed_plan(logits: jax.Array, logcnt: jax.Array) -> jax.Array:
        share = jnp.sum(jax.nn.softmax(logits), axis=0) / logcnt
        return jnp.sum(share**2)

    logits = jnp.stack([jnp.log(weight)] * 3)
    counts = planned(jnp.sum(jax.nn.softmax(logits), axis=0)).logcnt
    expected = jax.grad(loss_of_a_fixed_plan)(logits, counts.astype(jnp.float32))
    for transform in (jax.grad, lambda f: jax.jit(jax.grad(f)), jax.jacfwd, lambda f: jax.grad(jax.checkpoint(f))):
        np.testing.assert_allclose(transform(loss)(logits), expected, rtol=1e-4)


@pytest.mark.usefixtures("plainly_compiled")
def test_export(weight: jax.Array) -> None:
    def step(weight: jax.Array) -> Any:
        plan = plan_for(weight)
        return plan, evaluate(plan, weight, 8)

    exported = export.export(jax.jit(step))(jax.ShapeDtypeStruct(weight.shape, weight.dtype))
    results: Any = export.deserialize(exported.serialize()).call(weight)
    plan, report = results
    assert_same(plan, plan_for(weight))
    for ours, theirs in zip(report, evaluate(plan, weight, 8), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_plan_is_a_pytree(weight: jax.Array) -> None:
    doubled = jax.tree.map(lambda x: 2 * x, plan_for(weight))
    assert isinstance(doubled, Plan)
    assert len(jax.tree.leaves(doubled)) == 3
