"""Arrays of all libraries in host memory get plans by native code."""

import contextlib
from typing import Any
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from eplb_xp import POLICIES, Plan, prepare_shares, quotas, rebalance_experts, route, share_tokens
from eplb_xp.backends.launching import follows_from_numpy, from_numpy, routes_from_numpy, shares_from_numpy
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
@pytest.mark.parametrize("asarray", [np.array, torch.tensor, jnp.array])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_native_code_shares(asarray: Any, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a plan, what is prepared, and that."""
    monkeypatch.setenv(SWITCH, "0")
    past, batch = np.random.default_rng(0).lognormal(5, 1, (2, 7, 32)).astype(dtype)
    plan = rebalance_experts(past, *SIZES)
    expected = share_tokens(plan, batch, 16)
    monkeypatch.delenv(SWITCH)
    given, weight = Plan(*map(asarray, plan)), asarray(batch)
    with contextlib.ExitStack() as stack:
        watched = [
            stack.enter_context(mock.patch.object(shares_from_numpy, name, wraps=getattr(shares_from_numpy, name)))
            for name in ("share_of_plan", "prepare", "share")
        ]
        prepared = prepare_shares(given, 16)
        found = share_tokens(given, weight, 16), share_tokens(given, weight, 16, prepared=prepared)
    assert [each.call_count for each in watched] == [1, 1, 1]
    for shares in found:
        for ours, theirs in zip(shares, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(ours), theirs)


@needs_native
@pytest.mark.parametrize("asarray", [np.array, torch.tensor, jnp.array])
def test_native_code_divides_shares_and_routes(asarray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotas of all ranks and of one, replicas in turn and by quota."""
    monkeypatch.setenv(SWITCH, "0")
    rng = np.random.default_rng(0)
    counts, tokens = rng.integers(0, 50, (7, 16, 32), np.int32), rng.integers(-1, 32, (40, 2), np.int32)
    plan = rebalance_experts(counts.sum(axis=1), *SIZES)

    def made(plan: Any, counts: Any, tokens: Any) -> list[Any]:
        shares = share_tokens(plan, counts.sum(1), 16)
        all_of_them, its = quotas(shares, plan, counts, num_nodes=4), quotas(shares, plan, counts, rank=3)
        layer = plan.log2phy[0], plan.logcnt[0]
        return [all_of_them, its, route(tokens, layer), route(tokens, layer, its[0])]

    expected = made(plan, counts, tokens)
    monkeypatch.delenv(SWITCH)
    with contextlib.ExitStack() as stack:
        watched = [
            stack.enter_context(mock.patch.object(routes_from_numpy, name, wraps=getattr(routes_from_numpy, name)))
            for name in ("quotas", "quotas_of_rank", "route_in_turn", "route_by_quota")
        ]
        found = made(Plan(*map(asarray, plan)), asarray(counts), asarray(tokens))
    assert [each.call_count for each in watched] == [1, 1, 1, 1]
    for ours, theirs in zip(found, expected, strict=True):
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
