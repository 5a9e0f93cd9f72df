"""SGLang: eplb-xp in the place of its function ``rebalance_experts``, for all of its ``--eplb-algorithm``.

`register` is an entry point of ``sglang.srt.plugins``, which SGLang calls in every process; older versions than 0.5.15
have no such group, and need a call of it in each.
"""

import importlib
import sys
from typing import Any

from eplb_xp.backends import library_of
from eplb_xp.engines import metrics, planner, report
from eplb_xp.engines.settings import asked_for, from_environment

MODULE = "sglang.srt.eplb.eplb_algorithms"


def register() -> None:
    """Put eplb-xp in the place of SGLang's planner, if ``EPLB_XP_POLICY`` is set; may be called more than once.

    Raises
    ------
    ValueError
        Where the environment asks for what there is not. SGLang logs that, and plans as before.
    """
    settings = from_environment()
    if settings is None:
        return
    metrics.check(settings)
    try:
        hooks = importlib.import_module("sglang.srt.plugins.hook_registry")
    except ModuleNotFoundError:
        module: Any = importlib.import_module(MODULE)
        module.rebalance_experts = rebalance_experts
    else:
        hooks.HookRegistry.register(f"{MODULE}.rebalance_experts", rebalance_experts, hooks.HookType.REPLACE)
    report.announce(f"SGLang {getattr(sys.modules.get('sglang'), '__version__', '')}".strip(), settings)


def rebalance_experts(
    tokens_per_expert: Any,
    num_physical_experts: int,
    num_local_physical_experts: int,
    num_groups: int | None,
    num_nodes: int,
    algorithm: Any,
) -> tuple[Any, Any, Any]:
    """Plan as SGLang's function of this name is asked to.

    The map in use is taken from SGLang's metadata. With elastic expert parallelism, plans are made on the ranks that
    are up; slots of the others hold expert 0 and are in no expert's list.

    Parameters
    ----------
    tokens_per_expert : [steps, layers, experts] integers
        Tokens of each recorded step, already summed over all ranks, on any device.
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

    Returns
    -------
    phy2log, log2phy, logcnt
        In host memory, int64.

    Raises
    ------
    ValueError
        Where the ranks that are up have too few slots for all experts.
    """
    groups = num_groups if algorithm.name.endswith("_hierarchical") else None
    made = planner.plan(
        "sglang",
        asked_for(),
        tokens_per_expert,
        num_physical_experts,
        groups,
        num_nodes,
        num_physical_experts // num_local_physical_experts,
        old=_map_in_use(),
        active=_active_ranks(),
    )
    xp = library_of("tokens_per_expert", tokens_per_expert).xp
    phy2log, log2phy, logcnt = (xp.asarray(x, device="cpu") for x in made)
    return phy2log, log2phy, logcnt


def _map_in_use() -> Any:
    """The map of slots to experts, None before there is one."""
    location: Any = sys.modules.get("sglang.srt.eplb.expert_location")
    metadata = None if location is None else location.get_global_expert_location_metadata()
    return None if metadata is None else metadata.physical_to_logical_map


def _active_ranks() -> Any:
    """Which ranks are up, and entries for ranks to come; None without elastic expert parallelism."""
    elastic: Any = sys.modules.get("sglang.srt.elastic_ep.elastic_ep")
    state = None if elastic is None else elastic.ElasticEPStateManager.instance()
    return None if state is None else state.active_ranks
