"""vLLM: eplb-xp as its policy "default", the only name that its configuration lets through.

`register` is an entry point of ``vllm.general_plugins``, which vLLM calls in every process before a model is loaded.
"""

import importlib
import inspect
import logging
import sys
from typing import Any

from eplb_xp.backends import library_of
from eplb_xp.engines import metrics, planner, report
from eplb_xp.engines.settings import Settings, from_environment
from eplb_xp.types import Plan

EPLB = "vllm.distributed.eplb"


def register() -> None:
    """Put eplb-xp in the place of vLLM's planner, if ``EPLB_XP_POLICY`` is set; may be called more than once.

    From 0.13 on it is the entry "default" of ``EPLB_POLICIES``, before that the function ``rebalance_experts``.

    Raises
    ------
    ValueError
        Where the environment asks for what there is not.
    """
    settings = from_environment()
    if settings is None:
        return
    metrics.check(settings)
    try:
        module = importlib.import_module(f"{EPLB}.policy")
    except ModuleNotFoundError as error:
        if error.name != f"{EPLB}.policy":
            raise
        _replace_function(settings)
    else:
        default = module.EPLB_POLICIES["default"]
        if getattr(default, "is_eplb_xp", False):
            return
        module.EPLB_POLICIES["default"] = policy(default, settings)
    _show_lines()
    report.announce(f"vLLM {getattr(sys.modules.get('vllm'), '__version__', '')}".strip(), settings)


def policy(default: type, settings: Settings) -> type:
    """A policy of vLLM's, a subclass of its own one, for the version that this is of.

    Parameters
    ----------
    default : type
        vLLM's ``DefaultEplbPolicy``.
    settings : Settings
        How to plan.
    """
    annotation = inspect.signature(default.rebalance_experts).return_annotation  # type: ignore[attr-defined]
    wants_triple = "tuple" in str(annotation).lower()

    class EplbXpPolicy(default):  # type: ignore[misc]
        """eplb-xp's plans under vLLM's contracts: that of classes, and that of a window of samples to come."""

        is_eplb_xp = True

        @classmethod
        def rebalance_experts(
            cls,
            weight: Any,
            num_replicas: Any = None,
            num_groups: Any = None,
            num_nodes: Any = None,
            num_ranks: Any = None,
            old_global_expert_indices: Any = None,
        ) -> Any:
            """``phy2log``, in host memory, or up to 0.18 the triple, where the loads are."""
            if hasattr(weight, "load_window_cpu"):
                return cls.plan_rebalance(weight)
            sizes = num_replicas, num_groups, num_nodes, num_ranks
            if wants_triple:
                return _triple(settings, weight, *sizes, old_global_expert_indices)
            return _phy2log(settings, weight, *sizes, old_global_expert_indices)

        @classmethod
        def plan_rebalance(cls, context: Any, policy_state: Any = None) -> Any:  # noqa: ARG003 # vLLM's signature
            """The plan for a window of samples, the oldest first, as RFC 49702 has it."""
            topology = context.topology
            sizes = context.num_replicas, topology.num_groups, topology.num_nodes, topology.num_ranks
            placement = _phy2log(settings, context.load_window_cpu, *sizes, context.physical_to_logical_map_cpu)
            return sys.modules[type(context).__module__].EplbPlan(placement)

    return EplbXpPolicy


def _phy2log(settings: Settings, weight: Any, *args: Any) -> Any:
    """The expert in each slot, in host memory."""
    xp = library_of("weight", weight).xp
    return xp.asarray(_plan(settings, weight, *args).phy2log, device="cpu")


def _triple(settings: Settings, weight: Any, *args: Any) -> tuple[Any, ...]:
    """``phy2log``, ``log2phy`` and counts, where the loads are."""
    xp = library_of("weight", weight).xp
    return tuple(xp.asarray(x, device=weight.device) for x in _plan(settings, weight, *args))


def _plan(
    settings: Settings, weight: Any, replicas: int, groups: Any, nodes: Any, ranks: int, old: Any = None
) -> Plan[Any]:
    return planner.plan("vllm", settings, weight, replicas, groups, nodes, ranks, old=old)


def _replace_function(settings: Settings) -> None:
    """The function of vLLM up to 0.12, wherever it has been imported to."""

    def rebalance_experts(weight: Any, num_replicas: int, num_groups: int, num_nodes: int, num_gpus: int) -> Any:
        return _triple(settings, weight, num_replicas, num_groups, num_nodes, num_gpus)

    importlib.import_module(f"{EPLB}.rebalance_algo")
    for name in ("rebalance_algo", "eplb_state"):
        module: Any = sys.modules.get(f"{EPLB}.{name}")
        if module is not None:
            module.rebalance_experts = rebalance_experts


def _show_lines() -> None:
    """Lines of ``eplb_xp`` go where vLLM's go: it gives handlers to its own logger alone."""
    ours, theirs = logging.getLogger("eplb_xp"), logging.getLogger("vllm")
    if not ours.hasHandlers():
        for handler in theirs.handlers:
            ours.addHandler(handler)
    if ours.level == logging.NOTSET:
        ours.setLevel(theirs.getEffectiveLevel() if theirs.handlers else logging.INFO)
