"""vLLM's transfer of weights, in the versions' own ways."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from eplb_xp.engines import vllm


def planner() -> Callable[..., torch.Tensor]:
    """What vLLM plans with once the adapter is registered: the experts in slots, for a load and an old map."""
    vllm.register()
    try:
        policy: Any = importlib.import_module("vllm.distributed.eplb.policy").EPLB_POLICIES["default"]
        plan, theirs = policy.rebalance_experts, policy.__base__.rebalance_experts
    except ModuleNotFoundError:
        plan = theirs = importlib.import_module("vllm.distributed.eplb.eplb_state").rebalance_experts
    gives_old = len(inspect.signature(theirs).parameters) > 5

    def planned(load: torch.Tensor, replicas: int, ranks: int, old: torch.Tensor) -> torch.Tensor:
        made = plan(load, replicas, 1, 1, ranks, *([old] if gives_old else []))
        placement: torch.Tensor = made[0] if isinstance(made, tuple) else made
        return placement

    return planned


def rearranger(held: list[list[torch.Tensor]]) -> Callable[..., torch.Tensor]:
    """Plans for a load, and moves weights from the old map to the new one, which it returns."""
    plan = planner()
    execute = importlib.import_module("vllm.distributed.eplb.rebalance_execute")
    group = dist.group.WORLD

    def rearrange(old: torch.Tensor, load: torch.Tensor, rank_mapping: dict[int, int] | None = None) -> torch.Tensor:
        ranks = dist.get_world_size()
        if rank_mapping is not None and len(rank_mapping) == ranks:  # scaling down
            ranks = sum(to >= 0 for to in rank_mapping.values())
        new = plan(load, held[0][0].shape[0] * ranks, ranks, old)
        of_all = [torch.empty_like(new) for _ in range(dist.get_world_size())]
        dist.all_gather(of_all, new)
        assert all(torch.equal(new, other) for other in of_all), "ranks disagree"
        move = execute.rearrange_expert_weights_inplace
        if "communicator" in inspect.signature(move).parameters:
            communicators = importlib.import_module("vllm.distributed.eplb.eplb_communicator")
            by = next(
                getattr(communicators, name)
                for name in ("TorchDistGlooStagedEplbCommunicator", "TorchDistEplbCommunicator", "GlooEplbCommunicator")
                if isinstance(vars(communicators).get(name), type)
            )
            buffer = [torch.empty_like(x) for x in held[0]]
            takes = inspect.signature(move).parameters
            move(
                old,
                new,
                held,
                *([buffer] if "expert_buffer" in takes else []),
                group,
                by(group),
                rank_mapping=rank_mapping,
            )
        else:
            move(old, new, held, group, rank_mapping=rank_mapping)
        return new

    return rearrange
