"""Arrays of all libraries in host memory get plans by native code."""

from typing import Any
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from eplb_xp import POLICIES, rebalance_experts
from eplb_xp.backends.launching import follows_from_numpy, from_numpy
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.sizes import check_sizes
from tests.support.native import needs_native, once_written_plan

SIZES = (48, 1, 1, 16)


@needs_native
@pytest.mark.parametrize("asarray", [np.array, torch.tensor, jnp.array])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_native_code_plans(asarray: Any, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    weight = np.random.default_rng(0).lognormal(5, 1, (7, 32)).astype(dtype)
    expected = once_written_plan(weight, check_sizes(32, *SIZES), POLICIES["joint"])
    with mock.patch.object(from_numpy, "plan", wraps=from_numpy.plan) as watched:
        plan = rebalance_experts(asarray(weight), *SIZES)
    assert watched.call_count == 1
    for ours, theirs in zip(plan, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), theirs)


@needs_native
@pytest.mark.parametrize("asarray", [np.array, torch.tensor, jnp.array])
@pytest.mark.parametrize("is_one", [True, False])
def test_native_code_follows_plans(asarray: Any, is_one: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one budget, or one for each layer, within which a fresh plan may be."""
    monkeypatch.setenv(SWITCH, "0")
    old, new = np.random.default_rng(0).lognormal(5, 1, (2, 2, 32)).astype(np.float32)
    previous, moves = rebalance_experts(old, *SIZES).phy2log, np.array([3, 40])
    expected = rebalance_experts(new, *SIZES, previous=previous, max_moves=3 if is_one else moves)
    monkeypatch.delenv(SWITCH)
    given: dict[str, Any] = {"previous": asarray(previous), "max_moves": 3 if is_one else asarray(moves)}
    name = "follow" if is_one else "follow_or_renew"
    with mock.patch.object(follows_from_numpy, name, wraps=getattr(follows_from_numpy, name)) as watched:
        plan = rebalance_experts(asarray(new), *SIZES, **given)
    assert watched.call_count == 1
    for ours, theirs in zip(plan, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), theirs)


@needs_native
def test_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    weight = np.random.default_rng(0).lognormal(5, 1, (7, 32)).astype(np.float32)
    for given in (torch.tensor(weight).to(torch.bfloat16), jnp.asarray(weight, jnp.bfloat16)):
        expected = once_written_plan(
            np.asarray(jnp.asarray(weight, jnp.bfloat16)), check_sizes(32, *SIZES), POLICIES["swap"]
        )
        plan = rebalance_experts(given, *SIZES, policy="swap")
        np.testing.assert_array_equal(np.asarray(plan.phy2log), expected.phy2log)
