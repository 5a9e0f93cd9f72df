"""Plans beside each other and the placement that they replace."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eplb_xp.cli.errors import refusals
from eplb_xp.cli.files import Loads
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Numbers, Planned, Times
from eplb_xp.evaluation import evaluate
from eplb_xp.types import Plan, Report


class Measured(NamedTuple):
    """How a placement carries the loads."""

    name: str
    replicas: int
    gpu_load: Numbers  # [layers, gpus] in units of the layer's busiest expert
    balancedness: Numbers  # [layers]
    gap: Numbers  # [layers]
    doubled: Numbers  # [layers]
    times: Times | None = None


class Comparison(NamedTuple):
    """Contiguous experts, then the plans, all against what no plan of these sizes can beat."""

    loads: Loads
    layout: Layout
    placements: tuple[Measured, ...]


def compare(loads: Loads, layout: Layout, plans: Sequence[Planned]) -> Comparison:
    """Measure the plans, and the placement without EPLB."""
    reports = [report(planned.plan, loads.load, layout) for planned in plans]
    measured = [_measured(*pair) for pair in zip(plans, reports, strict=True)]
    return Comparison(loads, layout, (_before(loads.load, layout, reports[0].lower_bound), *measured))


def measure(planned: Planned, load: Numbers, layout: Layout) -> Measured:
    """One plan, without a comparison."""
    return _measured(planned, report(planned.plan, load, layout))


def report(plan: Plan[Numbers], load: Numbers, layout: Layout) -> Report[Numbers]:
    """The library's report, loads in units of the layer's busiest expert."""
    with refusals():
        return evaluate(
            plan, _in_units(load), layout.num_gpus, num_groups=layout.num_groups, num_nodes=layout.num_nodes
        )


def _measured(planned: Planned, found: Report[Numbers]) -> Measured:
    replicas = planned.plan.phy2log.shape[1]
    return Measured(planned.name, replicas, found.gpu_load, found.balancedness, found.gap, found.doubled, planned.times)


def _before(load: Numbers, layout: Layout, lower_bound: Numbers) -> Measured:
    layers, experts = load.shape
    gpu_load = contiguous(_in_units(load), layout.num_gpus)
    busiest = gpu_load.max(axis=1)
    idle = busiest == 0
    return Measured(
        "contiguous",
        experts,
        gpu_load,
        np.where(idle, 1, gpu_load.mean(axis=1) / np.where(idle, 1, busiest)),
        np.where(idle, 0, busiest / np.where(idle, 1, lower_bound) - 1),
        np.zeros(layers, np.int64),
    )


def _in_units(load: Numbers) -> Numbers:
    """Only ratios within a layer are shown; in units of the busiest expert no sum can overflow."""
    busiest = load.max(axis=1, keepdims=True)
    return load / np.where(busiest == 0, 1, busiest)


def contiguous(load: Numbers, num_gpus: int) -> Numbers:
    """Loads of the GPUs without EPLB: the experts in order, one replica each, as evenly many a GPU as can be.

    Where the experts don't divide over the GPUs, the first GPUs have one more, as in serving engines.
    """
    experts = load.shape[1]
    each, more = divmod(experts, num_gpus)
    gpu = np.repeat(np.arange(num_gpus), np.where(np.arange(num_gpus) < more, each + 1, each))
    return np.matmul(load, gpu[:, None] == np.arange(num_gpus))
