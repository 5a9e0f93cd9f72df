"""vllm-ascend's planners, which take the table in use and what each of its slots had to do."""

import importlib
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.peers.peer import Peer, Planner, in_order, tokens_of_slots
from benchmarks.quality.sizes import Size
from eplb_xp.simulation.arrays import Numbers

ASCEND = "vllm-ascend-0.23.0"


def planner(size: Size, module: str, name: str, *, by_steps: bool = False) -> Planner:
    """One of its classes, given the steps of a window or their sum."""
    policy_class = getattr(importlib.import_module(f"vllm_ascend.eplb.core.policy.{module}"), name)
    with mock.patch.object(torch, "npu", SimpleNamespace(device_count=lambda: size.gpus // size.nodes), create=True):
        policy = policy_class()

    def prepared(window: Numbers, old: Numbers | None) -> Any:
        _, layers, experts = window.shape
        slots = in_order(layers, experts, size) if old is None else old
        tokens = tokens_of_slots(window, slots).astype(np.float32)
        load = (tokens if by_steps else tokens.sum(axis=0)).reshape(*tokens.shape[by_steps ^ 1 : -1], size.gpus, -1)
        table = slots.reshape(layers, size.gpus, -1)
        given = torch.from_numpy(table.copy()), torch.from_numpy(load)
        return lambda: policy.rebalance_experts(*given)[2]

    return prepared


def _peer(name: str, module: str, policy: str, *, by_steps: bool = False) -> Peer:
    return Peer(
        f"vllm-ascend, {name}",
        ASCEND,
        lambda size: planner(size, module, policy, by_steps=by_steps),
        keeps_groups=False,
        takes_table=True,
    )


OF_ASCEND = (
    _peer("default", "policy_default_eplb", "DefaultEplb"),
    _peer("swift_balancer", "policy_swift_balancer", "SwiftBalanceEplb"),
    _peer("flashlb", "policy_flashlb", "FlashLB", by_steps=True),
)
