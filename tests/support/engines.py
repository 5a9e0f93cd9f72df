"""Engines with the contracts that adapters meet, and nothing behind them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

LAYERS, EXPERTS, SLOTS, RANKS = 3, 32, 48, 8
_DRAWN = np.random.default_rng(0)
STEPS = _DRAWN.poisson(_DRAWN.lognormal(4, 1, (LAYERS, EXPERTS)), (6, LAYERS, EXPERTS))
LOAD = STEPS.sum(axis=0)
IN_ORDER = np.tile(np.arange(SLOTS) % EXPERTS, (LAYERS, 1))


def install(patch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    """A module of that name with this content, and those above it where they are missing."""
    module = ModuleType(name)
    for key, value in content.items():
        setattr(module, key, value)
    patch.setitem(sys.modules, name, module)
    above, _, last = name.rpartition(".")
    if above:
        if above not in sys.modules:
            install(patch, above, __path__=[])
        patch.setattr(sys.modules[above], last, module, raising=False)
    return module


class OfPhy2log:
    """A policy as of vLLM 0.19 and later."""

    @classmethod
    def rebalance_experts(cls, weight: Any, num_replicas: int, *sizes: Any) -> torch.Tensor:
        raise NotImplementedError

    @classmethod
    def preserve_intragpu_slots(cls) -> str:
        return "vLLM's"


class OfTriple:
    """A policy as of vLLM 0.13 to 0.18."""

    @classmethod
    def rebalance_experts(
        cls, weight: Any, num_replicas: int, *sizes: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        raise NotImplementedError


def vllm(patch: pytest.MonkeyPatch, default: type) -> dict[str, Any]:
    """A vLLM from 0.13 on; its registry."""
    install(patch, "vllm", __path__=[], __version__="0.33.0")
    policies: dict[str, Any] = {"default": default}
    install(patch, "vllm.distributed.eplb.policy", EPLB_POLICIES=policies)
    return policies


def old_vllm(patch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """A vLLM up to 0.12: where its function is, and where it has been imported to."""

    def rebalance_experts(*_: Any) -> None:
        raise NotImplementedError

    install(patch, "vllm", __path__=[], __version__="0.12.0")
    algorithm = install(patch, "vllm.distributed.eplb.rebalance_algo", rebalance_experts=rebalance_experts)
    state = install(patch, "vllm.distributed.eplb.eplb_state", rebalance_experts=rebalance_experts)
    return algorithm, state


@dataclass(frozen=True)
class EplbPlan:
    """The result that RFC 49702 has."""

    physical_to_logical_map: torch.Tensor


@dataclass(frozen=True)
class Context:
    """What it gives to a policy, beside the group of processes."""

    load_window_cpu: torch.Tensor
    physical_to_logical_map_cpu: torch.Tensor
    topology: Any
    num_replicas: int


def sglang(
    patch: pytest.MonkeyPatch, *, has_hooks: bool = True, placement: Any = None, active: Any = None
) -> SimpleNamespace:
    """A SGLang, with the map in use and the ranks that are up; what hooks have been registered."""
    hooks: dict[str, tuple[Callable[..., Any], str]] = {}

    def register(target: str, hook: Callable[..., Any], hook_type: str) -> None:
        hooks[target] = hook, hook_type

    install(patch, "sglang", __path__=[], __version__="0.5.23")
    algorithms = install(patch, "sglang.srt.eplb.eplb_algorithms", rebalance_experts=None)
    metadata = None if placement is None else SimpleNamespace(physical_to_logical_map=placement)
    install(patch, "sglang.srt.eplb.expert_location", get_global_expert_location_metadata=lambda: metadata)
    state = None if active is None else SimpleNamespace(active_ranks=active)
    manager = SimpleNamespace(instance=lambda: state)
    install(patch, "sglang.srt.elastic_ep.elastic_ep", ElasticEPStateManager=manager)
    if has_hooks:
        registry, kinds = SimpleNamespace(register=register), SimpleNamespace(REPLACE="replace")
        install(patch, "sglang.srt.plugins.hook_registry", HookRegistry=registry, HookType=kinds)
    return SimpleNamespace(hooks=hooks, algorithms=algorithms)


def is_placement(phy2log: Any, experts: int = EXPERTS) -> bool:
    """Whether every layer has every expert and no other."""
    return all(set(row) == set(range(experts)) for row in np.asarray(phy2log).tolist())
