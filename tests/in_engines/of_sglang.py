"""SGLang's metadata and its transfer of weights, with the configuration that they read."""

import importlib
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist

from eplb_xp.engines import sglang
from tests.support.packages.standing_in import GIVEN


def configure(layers: int, experts: int, slots: int, ranks: int, algorithm: str = "auto") -> Any:
    """What SGLang's files read of its configuration: of experts and of processes."""
    moe = SimpleNamespace(
        ep_num_redundant_experts=slots - experts,
        eplb_algorithm=algorithm,
        ep_dispatch_algorithm="dynamic",
        ep_join_mode=None,
        moe_a2a_backend="none",
        elastic_ep_backend=None,
    )
    parallel = SimpleNamespace(ep_size=ranks, nnodes=1, elastic_ep_initial_size=None, max_ep_size=None)
    resources = SimpleNamespace(expert_location_metadata=None)
    GIVEN["sglang.srt.runtime_context"] = {
        "get_device": lambda: SimpleNamespace(device="cpu"),
        "get_exec": lambda: SimpleNamespace(moe=moe),
        "get_parallel": lambda: parallel,
        "get_resources": lambda: resources,
    }
    model = SimpleNamespace(
        get_model_config_for_expert_location=lambda _: SimpleNamespace(
            num_layers=layers, num_logical_experts=experts, num_groups=None
        )
    )
    GIVEN["sglang.srt.model_loader"] = {"get_model_architecture": lambda _: (model, "a model")}
    return moe, parallel


def register() -> None:
    """As SGLang does in every process, and by hand where it has no plug-ins yet."""
    try:
        plugins = importlib.import_module("sglang.srt.plugins")
    except ModuleNotFoundError:
        sglang.register()
    else:
        plugins.load_plugins()


def rearranger(held: list[list[torch.Tensor]], placement: torch.Tensor, experts: int) -> Callable[..., torch.Tensor]:
    """Plans for a load by way of SGLang's metadata, and moves weights to the new map, which it returns."""
    layers, slots = placement.shape
    moe, parallel = configure(layers, experts, slots, dist.get_world_size())
    register()
    location = importlib.import_module("sglang.srt.eplb.expert_location")
    metadata = location.ExpertLocationMetadata
    updater = importlib.import_module("sglang.srt.eplb.expert_location_updater").ExpertLocationUpdater()
    mock.patch.object(torch, "get_device_module").start()
    config: list[Any] = [SimpleNamespace(hf_config=None)]
    if "server_args" in inspect.signature(metadata.init_by_eplb).parameters:  # older ones have all in one
        config.insert(0, SimpleNamespace(**vars(moe), **vars(parallel), device="cpu"))
    used = metadata.init_by_mapping(*config, physical_to_logical_map=placement)
    location.set_global_expert_location_metadata(used)

    def rearrange(old: torch.Tensor, load: torch.Tensor) -> torch.Tensor:
        assert torch.equal(old, used.physical_to_logical_map)
        made = metadata.init_by_eplb(*config, logical_count=load[None])
        missing = updater.update(
            routed_experts_weights_of_layer=dict(enumerate(held)),
            new_expert_location_metadata=made,
            update_layer_ids=list(range(layers)),
            nnodes=1,
            rank=dist.get_rank(),
        )
        assert not missing
        placement: torch.Tensor = used.physical_to_logical_map.clone()
        return placement

    return rearrange
