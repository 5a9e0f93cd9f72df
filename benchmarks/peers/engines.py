"""Planners of engines that take loads of experts: those of vLLM, SGLang and LMDeploy, by the functions they call."""

import importlib
from typing import Any

import torch

from benchmarks.peers.peer import Peer, Planner
from benchmarks.quality.sizes import Size
from eplb_xp.simulation.arrays import Numbers

VLLM, SGLANG, LMDEPLOY = "vllm-0.33.0", "sglang-0.5.23", "lmdeploy-0.18.0"
_SGLANG = "sglang.srt.eplb.eplb_algorithms"


def vllm(size: Size) -> Planner:
    """The only policy of vLLM; it is given the map in use."""
    plan = importlib.import_module("vllm.distributed.eplb.policy").EPLB_POLICIES["default"].rebalance_experts

    def prepared(window: Numbers, old: Numbers | None) -> Any:
        weight = torch.from_numpy(window.sum(axis=0))
        used = None if old is None else torch.from_numpy(old)
        return lambda: plan(weight, *_shape(size), used)

    return prepared


def sglang(size: Size, algorithm: str) -> Planner:
    """One of SGLang's algorithms; it is given the steps of the window."""
    algorithms = importlib.import_module(_SGLANG)
    chosen = algorithms.EplbAlgorithm[algorithm + ("_hierarchical" if size.groups > 1 else "")]

    def prepared(window: Numbers, old: Numbers | None) -> Any:
        del old
        steps = torch.from_numpy(window)
        each = size.replicas // size.gpus
        return lambda: algorithms.rebalance_experts(steps, size.replicas, each, size.groups, size.nodes, chosen)[0]

    return prepared


def elasticity_aware(size: Size) -> Planner:
    """SGLang's planner that knows which ranks are up: all of them."""
    plan = importlib.import_module(f"{_SGLANG}.elasticity_aware").rebalance_experts
    active = torch.ones(size.gpus, dtype=torch.int32)

    def prepared(window: Numbers, old: Numbers | None) -> Any:
        del old
        weight = torch.from_numpy(window.sum(axis=0))
        return lambda: plan(weight, *_shape(size), size.groups > 1, active)[0]

    return prepared


def lmdeploy(size: Size) -> Planner:
    """LMDeploy's planner, which it calls once, at start, with loads from a file."""
    plan = importlib.import_module("lmdeploy.pytorch.nn.eplb").rebalance_experts

    def prepared(window: Numbers, old: Numbers | None) -> Any:
        del old
        weight = torch.from_numpy(window.sum(axis=0))
        return lambda: plan(weight, *_shape(size))[0]

    return prepared


def _shape(size: Size) -> tuple[int, int, int, int]:
    return size.replicas, size.groups, size.nodes, size.gpus


OF_ENGINES = (
    Peer("vLLM, default", VLLM, vllm),
    Peer("SGLang, deepseek", SGLANG, lambda size: sglang(size, "deepseek")),
    Peer("SGLang, elasticity_aware", SGLANG, elasticity_aware),
    Peer("SGLang, deepseek_vec", SGLANG, lambda size: sglang(size, "deepseek_vec")),
    Peer("LMDeploy", LMDEPLOY, lmdeploy),
)
