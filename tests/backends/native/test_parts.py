"""Parts of plans by native code, slots, packing and replication, are those of the once-written code, bit for bit."""

from dataclasses import replace
from typing import Any
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import POLICIES, Policy, balanced_packing, rebalance_experts_hierarchical, replicate_experts
from eplb_xp.algorithms import pipeline
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from eplb_xp.sizes import check_sizes
from tests.backends.native.test_plans import all_policies, cases
from tests.support.libraries import NumPyArray
from tests.support.loads import weights
from tests.support.native import LANES, natively, needs_native, poisoned

pytestmark = needs_native


def assert_made(step: Any, weight: NumPyArray, **settings: Any) -> None:
    """By native code in all lanes, from outputs that held something else."""
    expected = LIBRARY.call(step, weight, **settings)
    for lanes in LANES:
        with poisoned():
            made = getattr(from_numpy, step.__name__)(LIBRARY, weight, **settings, lanes=lanes)
        assert not isinstance(made, Refusal), made.reason
        assert type(made) is type(expected)
        for ours, theirs in zip(made, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)


@given(case=cases())
def test_slots(case: tuple[NumPyArray, tuple[int, ...], Policy, int | None]) -> None:
    weight, sizes, policy, most = case
    checked = replace(check_sizes(weight.shape[1], *sizes), max_replicas=most)
    assert_made(pipeline.place, weight, sizes=checked, policy=policy)


@given(data=st.data(), packs=st.integers(1, 20), capacity=st.integers(1, 9), policy=all_policies)
def test_packing(data: st.DataObject, packs: int, capacity: int, policy: Policy) -> None:
    weight = data.draw(weights((2, packs * capacity)))
    assert_made(pipeline.pack_items, weight, num_packs=packs, policy=policy)


@given(data=st.data(), experts=st.integers(1, 40), spares=st.sampled_from([0, 1, 2, 7, 60]))
def test_replication(data: st.DataObject, experts: int, spares: int) -> None:
    weight = data.draw(weights((2, experts)))
    assert_made(pipeline.replicate_loads, weight, num_replicas=experts + spares)


@pytest.mark.parametrize("policy", POLICIES)
def test_large_ones(policy: str) -> None:
    weight = np.random.default_rng(0).lognormal(0, 1, (3, 256)).astype(np.float32)
    for sizes in ((288, 8, 4, 32), (288, 1, 1, 32)):
        assert_made(pipeline.place, weight, sizes=check_sizes(256, *sizes), policy=POLICIES[policy])
    for packs in (2, 32, 128, 256):
        assert_made(pipeline.pack_items, weight, num_packs=packs, policy=POLICIES[policy])


def test_of_no_layers() -> None:
    none = np.zeros((0, 8), np.float32)
    assert_made(pipeline.place, none, sizes=check_sizes(8, 12, 1, 1, 4), policy=POLICIES["joint"])
    assert_made(pipeline.pack_items, none, num_packs=4, policy=POLICIES["swap"])
    assert_made(pipeline.replicate_loads, none, num_replicas=12)


@pytest.mark.parametrize("asarray", [np.array, torch.tensor, jnp.array])
def test_native_code_makes_them_for_arrays_in_host_memory(asarray: Any) -> None:
    weight = np.random.default_rng(0).lognormal(0, 1, (3, 8)).astype(np.float32)
    expected = (
        *rebalance_experts_hierarchical(weight, 12, 2, 2, 4),
        *balanced_packing(weight, 4, policy="swap"),
        *replicate_experts(weight, 12),
    )
    with natively(), mock.patch.object(from_numpy, "place", wraps=from_numpy.place) as watched:
        given_weight = asarray(weight)
        found = (
            *rebalance_experts_hierarchical(given_weight, 12, 2, 2, 4),
            *balanced_packing(given_weight, 4, policy="swap"),
            *replicate_experts(given_weight, 12),
        )
    assert watched.call_count == 3
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), theirs)


def test_too_many_replicas_are_left_to_the_once_written_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_numpy, "MOST_REPLICAS", 11)
    weight, refusal = np.ones((1, 8), np.float32), Refusal("native code plans for at most 11 replicas, got 12")
    its: dict[str, Any] = {"sizes": check_sizes(8, 12, 1, 1, 4), "policy": POLICIES["swap"]}
    assert from_numpy.place(LIBRARY, weight, **its) == refusal
    assert from_numpy.replicate_loads(LIBRARY, weight, num_replicas=12) == refusal
    monkeypatch.setattr(from_numpy, "MOST_REPLICAS", 7)
    found = from_numpy.pack_items(LIBRARY, weight, num_packs=4, policy=POLICIES["swap"])
    assert found == Refusal("native code plans for at most 7 replicas, got 8")


def test_arrays_that_do_not_fit_the_shape_are_refused() -> None:
    told = from_numpy.shape_of(8, check_sizes(8, 12, 1, 1, 4), POLICIES["swap"])
    maps = [np.zeros(number, np.int64) for number in (24, 24, 16)]
    right: list[Any] = [np.ones((2, 8), np.float32), *told, *maps]
    place = from_numpy.extension().place
    place(*right, 4, 1)
    for at, array in enumerate(right):
        changed = array.reshape(-1)[:-1].copy() if array.size else np.zeros(1, array.dtype)
        with pytest.raises(ValueError, match="shape"):
            place(*right[:at], changed, *right[at + 1 :], 4, 1)
