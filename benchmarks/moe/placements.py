"""The cases: where experts are, and how tokens find their replicas."""

from typing import NamedTuple

import numpy as np

from benchmarks.moe.systems import System
from eplb_xp import Plan, rebalance_experts
from eplb_xp.simulation.arrays import Numbers

TURN, SHARE, ACTIVE, TIME = "turns", "shares", "fewest active", "least time"


class Case(NamedTuple):
    """A placement and a way to its replicas."""

    name: str
    policy: str | None  # None: experts in order, without spares
    by: str = TURN


CASES = (
    Case("in order", None),
    Case("EPLB", "greedy"),
    Case("joint", "joint"),
    Case("ring, turns", "ring"),
    Case("ring, shares", "ring", SHARE),
    Case("ring, fewest active", "ring", ACTIVE),
    Case("ring, least time", "ring", TIME),
)


def place(case: Case, system: System, past: Numbers, gpus: int) -> Plan[Numbers]:
    """The case's plan of one layer, from past steps [steps, experts]: the same on all ranks, each of which makes it."""
    if case.policy is None:
        order = np.arange(system.experts)[None]
        return Plan(order, order[..., None], np.ones_like(order))
    weight = past.sum(axis=0)[None].astype(np.float32)
    return rebalance_experts(weight, system.replicas, 1, 1, gpus, policy=case.policy)
