"""eplb_xp with the signature of vLLM 0.33.0's EPLB policies; docs/engines.md says where to put it."""

import torch

import eplb_xp


def rebalance_experts(
    weight: torch.Tensor,
    num_replicas: int,
    num_groups: int,
    num_nodes: int,
    num_ranks: int,
    old_global_expert_indices: torch.Tensor | None = None,
) -> torch.Tensor:
    """The expert in each slot [layers, replicas], int64 in host memory as vLLM needs it.

    Parameters
    ----------
    weight : [layers, experts] integers
        Tokens of a window of steps, already summed over all ranks.
    num_replicas : int
        Physical experts; vLLM's number of routed experts and redundant ones.
    num_groups : int
        Expert groups of the model, 1 where it has none.
    num_nodes : int
        Nodes, 1 where the ranks don't divide over them.
    num_ranks : int
        Expert-parallel ranks: eplb_xp's GPUs.
    old_global_expert_indices : [layers, replicas] integers, optional
        The plan in use. Nothing is read from it here.
    """
    load = weight.cpu().numpy()  # on a CPU, NumPy is faster than eager PyTorch, and the plan is the same
    plan = eplb_xp.rebalance_experts(load, num_replicas, num_groups, num_nodes, num_ranks, policy="joint")
    return torch.from_numpy(plan.phy2log)
