"""Concrete arrays in host memory: NumPy plans, nothing is compiled, and XLA would make the same plan."""

import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from eplb_xp import (
    POLICIES,
    balanced_packing,
    evaluate,
    rebalance_experts,
    rebalance_experts_hierarchical,
    replicate_experts,
)
from eplb_xp.backends import jax_on_numpy, takeover
from tests.support.jax_plans import assert_same, compilations, plan_for
from tests.support.loads import FAMILIES, batch


def everything(weight: Any) -> list[Any]:
    """What every public function makes of loads."""
    plan = rebalance_experts(weight, 80, 1, 1, 8)
    placement = rebalance_experts_hierarchical(weight, 80, 8, 2, 8)
    return [*plan, *placement, *balanced_packing(weight, 8), *replicate_experts(weight, 80), *evaluate(plan, weight, 8)]


def test_nothing_is_compiled(weight: jax.Array, caplog: pytest.LogCaptureFixture) -> None:
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        made = everything(weight)
        assert compilations(caplog) == []
    for ours, expected in zip(made, everything(np.asarray(weight)), strict=True):
        assert isinstance(ours, jax.Array)
        assert ours.dtype == (np.float32 if expected.dtype == np.float32 else np.int32)
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(
    ("policy", "sizes"), [(policy, (18, 1, 1, 6)) for policy in POLICIES] + [("swap", (16, 6, 2, 4))]
)
def test_xla_makes_the_same_plan(policy: str, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(10):
        weight = jnp.asarray(np.concatenate([batch(family, seed, 1, 12) for family in FAMILIES]).astype(np.float32))
        expected = rebalance_experts(weight, *sizes, policy=policy)
        with monkeypatch.context() as patch:
            patch.setenv(takeover.SWITCH, "0")
            assert_same(rebalance_experts(weight, *sizes, policy=policy), expected)


@pytest.mark.parametrize("committed", [False, True])
def test_results_lie_where_the_loads_are(weight: jax.Array, committed: bool) -> None:
    device = jax.devices("cpu")[2 if committed else 0]
    weight = jax.device_put(weight, device) if committed else weight
    for x in everything(weight):
        assert x.devices() == {device}
        assert x.committed == committed


def test_indices_follow_x64(weight: jax.Array) -> None:
    with jax.enable_x64(True):
        assert {x.dtype for x in plan_for(weight)} == {np.dtype(np.int64)}


def test_no_implicit_transfer_is_made(weight: jax.Array) -> None:
    with jax.transfer_guard("disallow"):
        plan_for(weight)


def refusal(caplog: pytest.LogCaptureFixture, weight: jax.Array) -> str:
    """Why NumPy does not plan."""
    with caplog.at_level(logging.DEBUG, "eplb_xp"):
        replicate_experts(weight, 80)
        balanced_packing(weight, 8, policy="swap")
    return " ".join(caplog.messages)


@pytest.mark.usefixtures("plainly_compiled")
def test_what_is_spread_over_devices_stays_there(weight: jax.Array, caplog: pytest.LogCaptureFixture) -> None:
    devices = jax.make_mesh((4,), ("layers",), devices=jax.devices("cpu")[:4])
    spread = jax.device_put(weight, NamedSharding(devices, PartitionSpec("layers")))
    assert "not in the memory of one host device" in refusal(caplog, spread)


@pytest.mark.usefixtures("plainly_compiled")
def test_what_takes_numpy_longer_is_compiled(
    weight: jax.Array, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert refusal(caplog, weight) == ""
    monkeypatch.setattr(jax_on_numpy, "MOST_SLOTS", 8 * 64 - 1)
    assert "XLA compiles and plans for so many layers before NumPy has planned" in refusal(caplog, weight)
