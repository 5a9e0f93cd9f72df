"""Balanced expert placement for Mixture-of-Experts models, for NumPy, JAX and PyTorch."""

from importlib import metadata as _metadata

from eplb_xp import loads
from eplb_xp.checks import check_loads
from eplb_xp.evaluation import evaluate
from eplb_xp.planning import rebalance_experts, rebalance_experts_hierarchical
from eplb_xp.policy import POLICIES, Policy
from eplb_xp.steps import balanced_packing, replicate_experts
from eplb_xp.types import Plan, Report

__version__ = _metadata.version("eplb-xp")

__all__ = [
    "POLICIES",
    "Plan",
    "Policy",
    "Report",
    "balanced_packing",
    "check_loads",
    "evaluate",
    "loads",
    "rebalance_experts",
    "rebalance_experts_hierarchical",
    "replicate_experts",
]
