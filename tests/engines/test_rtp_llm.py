"""RTP-LLM's contract: one layer, ranks that are down, lists that fit what it pads to."""

import numpy as np
import pytest
import torch

from eplb_xp import rebalance_experts
from eplb_xp.engines import rtp_llm
from tests.engines.test_active import check, up_but
from tests.support import engines
from tests.support.engines import EXPERTS, LOAD, RANKS, SLOTS

LAYER = torch.asarray(LOAD[1:2])


@pytest.mark.parametrize(("groups", "nodes", "kept"), [(4, 2, (4, 2)), (1, 2, (1, 1)), (0, 1, (1, 1))])
def test_the_triple(groups: int, nodes: int, kept: tuple[int, int]) -> None:
    made = rtp_llm.rebalance_experts(LAYER, SLOTS, groups, nodes, RANKS, True)
    expected = rebalance_experts(LOAD[1:2], SLOTS, *kept, RANKS)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(made, expected, strict=True))
    padded = torch.full((EXPERTS, SLOTS - EXPERTS + 1), -1, dtype=torch.int32)
    padded[:, : made[1].shape[-1]] = made[1][0]
    assert torch.equal((padded >= 0).sum(dim=1), made[2][0])


def test_ranks_that_are_down() -> None:
    active = up_but(1)
    made = rtp_llm.rebalance_experts(LAYER, SLOTS, 4, 2, RANKS, active_ranks=torch.tensor(active, dtype=torch.int32))
    check(made, active)
    assert made[1].shape[-1] <= SLOTS - EXPERTS + 1


def test_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    module = engines.install(monkeypatch, "rtp_llm.eplb.ep_balancer", rebalance_experts=None)
    rtp_llm.register()
    assert module.rebalance_experts is rtp_llm.rebalance_experts
