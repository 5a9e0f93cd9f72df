"""vllm-ascend's contract: a table of slots and what each had to do, and no layer that it would refuse."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp import evaluate
from eplb_xp.engines import vllm_ascend
from eplb_xp.engines.settings import Settings
from tests.support import engines
from tests.support.engines import EXPERTS, IN_ORDER, LAYERS, LOAD, RANKS, SLOTS, STEPS, is_placement

PER_NPU = SLOTS // RANKS
TABLE = torch.asarray(IN_ORDER).reshape(LAYERS, RANKS, PER_NPU)


def of_slots(load: Any) -> torch.Tensor:
    """Tokens of slots [..., layers, npus, slots], replicas sharing equally."""
    replicas = np.bincount(IN_ORDER[0], minlength=EXPERTS)
    slots = (load * 12 // replicas)[..., IN_ORDER[0]]
    return torch.asarray(slots.reshape(*load.shape[:-1], RANKS, PER_NPU))


def is_refused(old: Any, new: Any) -> bool:
    """Whether vllm-ascend would keep the old layer."""
    if not is_placement(new.reshape(1, -1)):
        return True
    for before, after in zip(np.asarray(old), new, strict=True):
        stays = np.isin(after, before)
        if len(set(after.tolist())) < PER_NPU or (after[stays] != before[stays]).any():
            return True
    return False


@pytest.mark.parametrize("policy", ["joint", "swap", "ring", "joint,max_moves=10%"])
@pytest.mark.parametrize("load", [LOAD, STEPS], ids=["a window", "steps"])
def test_no_layer_is_refused(policy: str, load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPLB_XP_POLICY", policy)
    changed, priority, table = vllm_ascend.Policy().rebalance_experts(TABLE, of_slots(load))
    assert changed == 1
    assert sorted(priority.tolist()) == list(range(LAYERS))
    assert torch.tensor(table).shape == TABLE.shape
    assert not any(map(is_refused, TABLE, table))
    if "max_moves" in policy:
        assert ((torch.tensor(table) != TABLE).sum(dim=(1, 2)) <= SLOTS // 10).all()


def test_layers_that_gain_most_come_first() -> None:
    _, priority, table = vllm_ascend.Policy().rebalance_experts(TABLE, of_slots(LOAD))
    before, after = (
        evaluate((x.reshape(LAYERS, SLOTS),) * 3, LOAD, RANKS).gpu_load.max(axis=1) for x in (TABLE.numpy(), table)
    )
    assert (np.diff((after / before)[priority]) >= 0).all()


def test_what_is_even_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPLB_XP_POLICY", "joint,max_moves=0")
    changed, _, table = vllm_ascend.Policy().rebalance_experts(TABLE, of_slots(LOAD))
    assert changed == 0
    assert np.array_equal(table, TABLE)


def test_empty_slots_are_filled() -> None:
    table = TABLE.clone()
    table[:, -1, -2:] = -1
    changed, _, new = vllm_ascend.Policy().rebalance_experts(table, of_slots(LOAD))
    assert changed == 1
    assert is_placement(new.reshape(LAYERS, SLOTS))


def test_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    factory: Any = SimpleNamespace(generate_policy=None)
    engines.install(monkeypatch, vllm_ascend.FACTORY, PolicyFactory=factory)
    monkeypatch.setattr(vllm_ascend, "find_spec", lambda _: True)
    vllm_ascend.register()
    assert vars(factory) == {"generate_policy": None}
    monkeypatch.setenv("EPLB_XP_POLICY", "joint")
    vllm_ascend.register()
    assert isinstance(factory.generate_policy(3), vllm_ascend.Policy)
    monkeypatch.setenv("EPLB_XP_POLICY", "greedy")
    with pytest.raises(ValueError, match=r"two replicas of an expert on one NPU, which .* joint, ring"):
        vllm_ascend.register()


def test_without_it_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPLB_XP_POLICY", str(Settings("greedy")))
    vllm_ascend.register()
