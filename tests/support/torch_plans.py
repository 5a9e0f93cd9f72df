"""Plans of tensors: made and compared."""

import numpy as np
import torch

from eplb_xp import Plan, rebalance_experts


def plan_for(weight: torch.Tensor) -> Plan[torch.Tensor]:
    return rebalance_experts(weight, num_replicas=80, num_groups=8, num_nodes=2, num_gpus=8, policy="greedy")


def loads(seed: int = 0, layers: int = 6, device: str = "cpu") -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.asarray(rng.lognormal(0, 1, (layers, 64)).astype(np.float32), device=device)


def assert_same(result: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...]) -> None:
    for ours, theirs in zip(result, expected, strict=True):
        assert torch.equal(ours.cpu(), theirs.cpu())
