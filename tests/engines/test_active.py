"""Plans on the GPUs that are up."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import eplb_xp
from eplb_xp.engines import on_active
from tests.support.engines import EXPERTS, IN_ORDER, LAYERS, LOAD, RANKS, SLOTS, STEPS

PER_GPU = SLOTS // RANKS


def up_but(*down: int) -> list[int]:
    return [int(gpu not in down) for gpu in range(RANKS)]


def check(plan: Any, active: list[int]) -> None:
    """Every expert is on a GPU that is up, and only such slots are in its list."""
    phy2log, log2phy, logcnt = (np.asarray(x) for x in plan)
    is_up = np.repeat(np.asarray(active[: phy2log.shape[1] // PER_GPU], dtype=bool), PER_GPU)
    assert (phy2log[:, ~is_up] == 0).all()
    assert (logcnt >= 1).all()
    assert (logcnt.sum(axis=1) == is_up.sum()).all()
    assert ((log2phy >= 0).sum(axis=2) == logcnt).all()
    layer, expert, _ = np.nonzero(log2phy >= 0)
    slot = log2phy[log2phy >= 0]
    assert is_up[slot].all()
    assert (phy2log[layer, slot] == expert).all()


@given(st.sets(st.integers(0, RANKS - 1), max_size=2), st.sampled_from([None, 0, 4]))
def test_it_is_the_plan_of_a_smaller_deployment(down: set[int], max_moves: int | None) -> None:
    active = up_but(*down)
    options: dict[str, Any] = {} if max_moves is None else {"previous": IN_ORDER, "max_moves": max_moves}
    plan = on_active(LOAD, SLOTS, 1, 1, RANKS, active, **options)
    check(plan, active)
    slots = np.flatnonzero(np.repeat(active, PER_GPU))
    if options:
        options["previous"] = IN_ORDER[:, slots]
    smaller = eplb_xp.rebalance_experts(LOAD, len(slots), 1, 1, sum(active), **options)
    assert np.array_equal(plan.phy2log[:, slots], smaller.phy2log)


def test_few_slots_move_but_lost_experts_come_back() -> None:
    """Slots 0 to 5 and 32 to 37 hold the only copies of no expert, both copies of 0 to 3."""
    active = up_but(0, 5)
    plan = on_active(LOAD, SLOTS, 1, 1, RANKS, active, previous=IN_ORDER, max_moves=0)
    check(plan, active)
    slots = np.flatnonzero(np.repeat(active, PER_GPU))
    lost = EXPERTS - len(set(IN_ORDER[0, slots].tolist()))
    assert lost > 0
    assert ((plan.phy2log != IN_ORDER)[:, slots].sum(axis=1) == lost).all()


def test_groups_are_kept_while_all_are_up() -> None:
    whole = on_active(LOAD, SLOTS, 4, 2, RANKS, up_but())
    assert all(map(np.array_equal, whole, eplb_xp.rebalance_experts(LOAD, SLOTS, 4, 2, RANKS)))
    check(on_active(LOAD, SLOTS, 4, 2, RANKS, up_but(3)), up_but(3))


def test_arrays_of_torch_and_samples() -> None:
    active = torch.tensor([*up_but(7), 1, 1], dtype=torch.int32)  # and two ranks to come
    plan = on_active(torch.asarray(STEPS), SLOTS, 1, 1, RANKS, active, previous=torch.asarray(IN_ORDER), max_moves=3)
    assert all(x.dtype == torch.int64 for x in plan)
    check(plan, active.tolist())


@pytest.mark.parametrize(
    ("active", "words"),
    [
        (up_but(0, 1, 2), r"2 experts would have no live replica, expert \d+ .* 5 of 8 GPUs are up .* 30 slots for 32"),
        ([0] * RANKS, "a GPU that is up, got none of 8"),
        ([1] * 7, r"an entry for each of 8 GPUs, got shape \(7,\)"),
        ([[1] * 8], r"an entry for each of 8 GPUs, got shape \(1, 8\)"),
    ],
)
def test_what_can_not_be_planned(active: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        on_active(LOAD, SLOTS, 1, 1, RANKS, active)


def test_the_expert_that_is_named_has_the_least_load() -> None:
    with pytest.raises(ValueError, match=f"expert {STEPS.sum(axis=(0, 1)).argmin()} of the least load"):
        on_active(STEPS, SLOTS, 1, 1, RANKS, up_but(0, 1, 2))


def test_other_arguments_are_checked_as_ever() -> None:
    with pytest.raises(ValueError, match=rf"previous must have shape .* \({LAYERS}, {SLOTS}\), got \(3, 40\)"):
        on_active(LOAD, SLOTS, 1, 1, RANKS, up_but(0), previous=IN_ORDER[:, :40])
    bad = LOAD.copy()
    bad[1, 2] = -1
    with pytest.raises(ValueError, match="1 load that is NaN, infinite or negative"):
        on_active(bad, SLOTS, 1, 1, RANKS, up_but(0))
    with pytest.raises(TypeError, match="same library"):
        on_active(LOAD, SLOTS, 1, 1, RANKS, up_but(0), previous=torch.asarray(IN_ORDER))
    with pytest.raises(ValueError, match="num_replicas"):
        on_active(LOAD, SLOTS + 1, 1, 1, RANKS, up_but(0))
