"""The plan beside the placement that it replaces."""

from typing import NamedTuple

import numpy as np

from eplb_xp.cli.planning import Numbers, Request
from eplb_xp.evaluation import evaluate
from eplb_xp.types import Plan


class Measured(NamedTuple):
    """How a placement carries the loads."""

    name: str
    replicas: int
    gpu_load: Numbers  # [layers, gpus] in units of the layer's busiest expert
    balancedness: Numbers  # [layers]
    gap: Numbers  # [layers]
    doubled: int


def compare(load: Numbers, plan: Plan[Numbers], request: Request) -> tuple[Measured, Measured]:
    """Contiguous experts, then the plan, both against what no plan of these sizes can beat."""
    # Only ratios within a layer are shown; in these units no sum can overflow.
    busiest = load.max(axis=1, keepdims=True)
    load = load / np.where(busiest == 0, 1, busiest)
    report = evaluate(plan, load, request.num_gpus, num_groups=request.num_groups, num_nodes=request.num_nodes)
    after = Measured(
        f"plan, {request.policy}",
        request.num_replicas,
        report.gpu_load,
        report.balancedness,
        report.gap,
        int(report.doubled.sum()),
    )
    gpu_load = contiguous(load, request.num_gpus)
    worst = gpu_load.max(axis=1)
    idle = worst == 0
    before = Measured(
        "contiguous",
        load.shape[1],
        gpu_load,
        np.where(idle, 1, gpu_load.mean(axis=1) / np.where(idle, 1, worst)),
        np.where(idle, 0, worst / np.where(idle, 1, report.lower_bound) - 1),
        0,
    )
    return before, after


def contiguous(load: Numbers, num_gpus: int) -> Numbers:
    """Loads of the GPUs without EPLB: the experts in order, one replica each, as evenly many a GPU as can be.

    Where the experts don't divide over the GPUs, the first GPUs have one more, as in serving engines.
    """
    experts = load.shape[1]
    each, more = divmod(experts, num_gpus)
    gpu = np.repeat(np.arange(num_gpus), np.where(np.arange(num_gpus) < more, each + 1, each))
    return np.matmul(load, gpu[:, None] == np.arange(num_gpus))
