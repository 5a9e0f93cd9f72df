"""SGLang's contract, with and without its registry of hooks, and ranks that are down."""

import logging
from enum import Enum, auto
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp import Plan, evaluate, moves, rebalance_experts
from eplb_xp.engines import sglang
from tests.engines.test_active import check, up_but
from tests.support import engines
from tests.support.engines import EXPERTS, IN_ORDER, LAYERS, LOAD, RANKS, SLOTS, STEPS, is_placement


class Algorithm(Enum):
    """As SGLang's."""

    deepseek = auto()
    deepseek_hierarchical = auto()
    deepseek_vec = auto()
    elasticity_aware = auto()
    elasticity_aware_hierarchical = auto()


def planned(
    algorithm: Algorithm = Algorithm.deepseek, groups: int | None = None, nodes: int = 1, steps: Any = STEPS
) -> Plan[torch.Tensor]:
    """By keyword, as SGLang calls it."""
    return Plan(
        *sglang.rebalance_experts(
            tokens_per_expert=torch.asarray(steps, dtype=torch.int32),
            num_physical_experts=SLOTS,
            num_local_physical_experts=SLOTS // RANKS,
            num_groups=groups,
            num_nodes=nodes,
            algorithm=algorithm,
        )
    )


def test_nothing_is_done_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = engines.sglang(monkeypatch)
    sglang.register()
    assert installed.hooks == {}
    assert installed.algorithms.rebalance_experts is None


def test_the_official_way(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    installed = engines.sglang(monkeypatch)
    monkeypatch.setenv("EPLB_XP_POLICY", "joint")
    with caplog.at_level(logging.INFO, "eplb_xp"):
        sglang.register()
    target = "sglang.srt.eplb.eplb_algorithms.rebalance_experts"
    assert installed.hooks == {target: (sglang.rebalance_experts, "replace")}
    assert "plans for SGLang 0.5.23: joint" in caplog.text


def test_the_way_before_there_were_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = engines.sglang(monkeypatch, has_hooks=False)
    monkeypatch.setenv("EPLB_XP_POLICY", "joint")
    sglang.register()
    assert installed.algorithms.rebalance_experts is sglang.rebalance_experts


@pytest.mark.parametrize(
    ("algorithm", "groups", "nodes", "kept"),
    [
        (Algorithm.deepseek_hierarchical, 4, 2, True),
        (Algorithm.elasticity_aware_hierarchical, 4, 2, True),
        (Algorithm.deepseek_hierarchical, 4, 3, False),
        (Algorithm.deepseek, 4, 2, False),
        (Algorithm.deepseek_vec, None, 2, False),
        (Algorithm.elasticity_aware, None, 1, False),
    ],
)
def test_the_triple(algorithm: Algorithm, groups: int | None, nodes: int, kept: bool) -> None:
    plan = planned(algorithm, groups, nodes)
    assert all(x.dtype == torch.int64 and x.device.type == "cpu" for x in plan)
    assert plan.phy2log.shape == (LAYERS, SLOTS)
    assert plan.log2phy.shape[:2] == (LAYERS, EXPERTS)
    assert plan.log2phy.shape[2] <= SLOTS
    assert torch.equal((plan.log2phy >= 0).sum(dim=-1), plan.logcnt)
    expected = rebalance_experts(LOAD, SLOTS, *((4, 2) if kept else (1, 1)), RANKS)
    assert np.array_equal(plan.phy2log.numpy(), expected.phy2log)
    if kept:
        evaluate(plan, torch.asarray(LOAD), RANKS, num_groups=4, num_nodes=2)  # raises where a group is split


def test_layers_without_tokens_are_planned_too() -> None:
    """The recorder counts all layers of the model, dense ones with zeros, and steps may be empty."""
    steps = STEPS.copy()
    steps[:, 0] = 0
    steps[2] = 0
    plan = planned(steps=steps)
    assert is_placement(plan.phy2log)
    assert is_placement(planned(steps=np.zeros_like(STEPS)).phy2log)
    assert is_placement(planned(steps=STEPS[:0]).phy2log)


@pytest.mark.parametrize("policy", ["joint", "joint,max_moves=10%"])
def test_sums_that_no_dtype_holds(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of floats beyond float32, of integers beyond int64."""
    engines.sglang(monkeypatch, placement=torch.asarray(IN_ORDER))
    monkeypatch.setenv("EPLB_XP_POLICY", policy)
    for huge in (np.full(STEPS.shape, 3e38), np.full(STEPS.shape, 2**62)):
        steps = torch.asarray(huge)
        made = sglang.rebalance_experts(steps, SLOTS, SLOTS // RANKS, None, 1, Algorithm.deepseek)
        assert is_placement(made[0])


def test_the_map_in_use_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    old = torch.asarray(IN_ORDER)
    engines.sglang(monkeypatch, placement=old)
    fresh = planned()
    assert int(moves(old, fresh.phy2log, RANKS).received.sum()) == int((old != fresh.phy2log).sum())
    monkeypatch.setenv("EPLB_XP_POLICY", "joint,max_moves=10%,samples=2")
    few = planned()
    assert 0 < int((few.phy2log != old).sum()) <= LAYERS * (SLOTS // 10)
    halves = torch.asarray(np.stack([STEPS[:3].sum(axis=0), STEPS[3:].sum(axis=0)]))
    expected = rebalance_experts(halves, SLOTS, 1, 1, RANKS, previous=old, max_moves=SLOTS // 10)
    assert all(map(torch.equal, few, expected))


def test_a_map_of_other_layers_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    engines.sglang(monkeypatch, placement=torch.asarray(IN_ORDER[:1]))
    monkeypatch.setenv("EPLB_XP_POLICY", "joint,max_moves=0")
    assert torch.equal(planned().phy2log, torch.asarray(rebalance_experts(LOAD, SLOTS, 1, 1, RANKS).phy2log))


@pytest.mark.parametrize(
    "algorithm", [Algorithm.elasticity_aware, Algorithm.elasticity_aware_hierarchical, Algorithm.deepseek]
)
@pytest.mark.parametrize("policy", ["joint", "joint,max_moves=10%"])
def test_ranks_that_are_down(algorithm: Algorithm, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state has room for ranks to come; those that are down get nothing but expert 0, which nobody is sent to."""
    active = [*up_but(2, 5), 0, 0]
    engines.sglang(monkeypatch, placement=torch.asarray(IN_ORDER), active=torch.tensor(active, dtype=torch.int32))
    monkeypatch.setenv("EPLB_XP_POLICY", policy)
    plan = planned(algorithm, 4, 2)
    check(plan, active)
    assert plan.log2phy.shape[2] <= SLOTS
    if "max_moves" in policy:
        stays = np.repeat(np.array(active[:RANKS], dtype=bool), SLOTS // RANKS)
        lost = EXPERTS - len(set(IN_ORDER[0, stays].tolist()))
        assert ((plan.phy2log.numpy() != IN_ORDER)[:, stays].sum(axis=1) <= lost + SLOTS // 10).all()


def test_all_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    engines.sglang(monkeypatch, active=torch.ones(RANKS + 2, dtype=torch.int32))
    expected = rebalance_experts(LOAD, SLOTS, 4, 2, RANKS)
    plan = planned(Algorithm.elasticity_aware_hierarchical, 4, 2)
    assert np.array_equal(plan.phy2log.numpy(), expected.phy2log)


def test_too_few_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    engines.sglang(monkeypatch, active=torch.tensor(up_but(0, 1, 2), dtype=torch.int32))
    with pytest.raises(ValueError, match=r"2 experts would have no live replica, expert \d+"):
        planned(Algorithm.elasticity_aware)
