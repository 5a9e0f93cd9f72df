"""eplb_xp with the signature of SGLang 0.5.23's EPLB hook; docs/engines.md says where to put it."""

from enum import Enum

import torch

import eplb_xp


def rebalance_experts(
    tokens_per_expert: torch.Tensor,
    num_physical_experts: int,
    num_local_physical_experts: int,
    num_groups: int | None,
    num_nodes: int,
    algorithm: Enum,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The plan as SGLang's triple: phy2log, log2phy and the counts.

    Parameters
    ----------
    tokens_per_expert : [steps, layers, experts] integers
        Tokens of each recorded step, already summed over all ranks.
    num_physical_experts : int
        Slots of all GPUs.
    num_local_physical_experts : int
        Slots of one GPU.
    num_groups : int or None
        Expert groups of the model, None where it has none.
    num_nodes : int
        Nodes of the deployment.
    algorithm : Enum
        SGLang's EplbAlgorithm; groups are kept on nodes where its name ends in ``_hierarchical``.

    Raises
    ------
    ValueError
        Where SGLang is to plan around ranks that are down.
    """
    if algorithm.name.startswith("elasticity_aware"):
        raise ValueError(f"eplb_xp can't plan around ranks that are down, as algorithm {algorithm.name} does")
    groups, nodes = 1, 1
    if num_groups is not None and algorithm.name.endswith("_hierarchical"):
        groups, nodes = num_groups, num_nodes
    num_gpus = num_physical_experts // num_local_physical_experts
    load = tokens_per_expert.sum(dim=0).cpu().numpy()  # on a CPU, NumPy is faster than eager PyTorch
    plan = eplb_xp.rebalance_experts(load, num_physical_experts, groups, nodes, num_gpus, policy="joint")
    return torch.from_numpy(plan.phy2log), torch.from_numpy(plan.log2phy), torch.from_numpy(plan.logcnt)
