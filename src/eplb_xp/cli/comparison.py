"""Plans beside each other and the placement that they replace."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eplb_xp.cli.counted import Counted
from eplb_xp.cli.errors import refusals
from eplb_xp.cli.files import Loads
from eplb_xp.cli.later import Backtest, Later, judge_later
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.moved import Moved
from eplb_xp.cli.planning import Numbers, Planned, Times
from eplb_xp.evaluation import evaluate
from eplb_xp.simulation.slots import as_units, balancedness, gpu_loads, in_order, slot_tokens
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
    later: Later | None = None


class Comparison(NamedTuple):
    """Contiguous experts, a plan in use, then the plans, all against what no plan of these sizes can beat."""

    loads: Loads
    layout: Layout
    placements: tuple[Measured, ...]
    counted: Counted = Counted()
    moved: Moved | None = None  # from the plan in use, which is the second placement then, to the last one


def compare(loads: Loads, layout: Layout, plans: Sequence[Planned], backtest: Backtest | None = None) -> Comparison:
    """Measure the plans, what each is worth later, and the placement without EPLB."""
    reports = [report(planned.plan, loads.load, layout) for planned in plans]
    measured = [_measured(*pair) for pair in zip(plans, reports, strict=True)]
    before = _before(loads.load, layout, reports[0].lower_bound)
    if backtest is not None:
        before = before._replace(later=_contiguous_later(backtest, layout))
        later = [judge_later(plan, backtest.steps, backtest.planned, layout) for plan in backtest.plans]
        measured = [each._replace(later=its) for each, its in zip(measured, later, strict=True)]
    return Comparison(loads, layout, (before, *measured))


def measure(planned: Planned, load: Numbers, layout: Layout) -> Measured:
    """One plan, without a comparison."""
    return _measured(planned, report(planned.plan, load, layout))


def report(plan: Plan[Numbers], load: Numbers, layout: Layout) -> Report[Numbers]:
    """The library's report, loads in units of the layer's busiest expert."""
    with refusals():
        return evaluate(plan, as_units(load), layout.num_gpus, num_groups=layout.num_groups, num_nodes=layout.num_nodes)


def _measured(planned: Planned, found: Report[Numbers]) -> Measured:
    replicas = planned.plan.phy2log.shape[1]
    gpu_load, balance, _, gap, doubled = found
    return Measured(planned.name, replicas, gpu_load, balance, gap, doubled, planned.times)


def _before(load: Numbers, layout: Layout, lower_bound: Numbers) -> Measured:
    layers, experts = load.shape
    gpu_load = contiguous(as_units(load), layout.num_gpus)
    busiest = gpu_load.max(axis=1)
    idle = busiest == 0
    return Measured(
        "contiguous",
        experts,
        gpu_load,
        balancedness(gpu_load),
        np.where(idle, 0, busiest / np.where(idle, 1, lower_bound) - 1),
        np.zeros(layers, np.int64),
    )


def _contiguous_later(backtest: Backtest, layout: Layout) -> Later:
    """Experts of one replica have no shares to choose."""
    gpu_load = np.stack([contiguous(as_units(step), layout.num_gpus) for step in backtest.steps])
    balance = balancedness(gpu_load)
    return Later(balance, balance, backtest.steps.max(axis=2) > 0, gpu_load[0], backtest.planned)


def contiguous(load: Numbers, num_gpus: int) -> Numbers:
    """Loads of the GPUs without EPLB: the experts in order, one replica each."""
    layers, experts = load.shape
    return gpu_loads(slot_tokens(in_order(layers, experts, num_gpus), load, num_gpus), num_gpus)
