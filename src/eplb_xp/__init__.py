"""Balanced expert placement for Mixture-of-Experts models, for NumPy, JAX and PyTorch."""

import importlib as _importlib
import typing as _typing

from eplb_xp import saving as _saving
from eplb_xp.checks import check_loads
from eplb_xp.evaluation import evaluate
from eplb_xp.frontiers import frontier, plan_at, spend
from eplb_xp.maps import expert_loads, logical_maps
from eplb_xp.moving import moves
from eplb_xp.planning import rebalance_experts, rebalance_experts_hierarchical
from eplb_xp.policy import POLICIES, Policy
from eplb_xp.routing import probabilities, quotas, route
from eplb_xp.sharing import prepare_shares, share_tokens
from eplb_xp.steps import balanced_packing, replicate_experts
from eplb_xp.types import Frontier, MovedBytes, Moves, Plan, Prepared, Report, SharedReport, Shares

__all__ = [
    "POLICIES",
    "Frontier",
    "MovedBytes",
    "Moves",
    "Plan",
    "Policy",
    "Prepared",
    "Report",
    "SharedReport",
    "Shares",
    "balanced_packing",
    "check_loads",
    "evaluate",
    "expert_loads",
    "frontier",
    "loads",
    "logical_maps",
    "moves",
    "plan_at",
    "prepare_shares",
    "probabilities",
    "quotas",
    "rebalance_experts",
    "rebalance_experts_hierarchical",
    "replicate_experts",
    "route",
    "share_tokens",
    "simulation",
    "spend",
]

# Here where torch came first; where it comes later, backends do it with the next array.
_saving.name_to_torch()

# Planning needs neither, and together they would take longer to import than all the rest. Type checkers see them as
# if they were there, and no other name that isn't.
if _typing.TYPE_CHECKING:
    from eplb_xp import loads, simulation

    __version__: str
else:

    def __getattr__(name: str) -> object:
        if name in {"loads", "simulation"}:
            return _importlib.import_module(f"eplb_xp.{name}")
        if name == "__version__":
            from importlib import metadata  # noqa: PLC0415

            return metadata.version("eplb-xp")
        raise AttributeError(f"module 'eplb_xp' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, "__version__"})
