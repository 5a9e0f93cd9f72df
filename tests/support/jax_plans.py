"""Plans of JAX arrays: made, compared, and what was compiled for them."""

from typing import Any

import jax
import numpy as np
import pytest

from eplb_xp import Plan, rebalance_experts


def plan_for(weight: jax.Array) -> Plan[jax.Array]:
    return rebalance_experts(weight, num_replicas=80, num_groups=8, num_nodes=2, num_gpus=8, policy="greedy")


def assert_same(result: Any, expected: Any) -> None:
    assert isinstance(result, type(expected))
    for ours, theirs in zip(result, expected, strict=True):
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def compilations(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What XLA compiled, under `jax.log_compiles`."""
    return [message for message in caplog.messages if message.startswith("Finished XLA compilation")]
