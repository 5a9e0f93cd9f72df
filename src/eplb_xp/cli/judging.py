"""How a plan that was made before carries loads of now."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eplb_xp.cli.comparison import Comparison, compare, report
from eplb_xp.cli.errors import UserError
from eplb_xp.cli.files import Loads
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.plan_files import PlanFile
from eplb_xp.cli.planning import Numbers, Planned
from eplb_xp.types import Plan


class Judged(NamedTuple):
    """A plan on loads that it may not have been made for."""

    comparison: Comparison
    predicted: Numbers | None  # [layers] balancedness on the loads that it was made for
    over_time: Numbers  # [steps, layers] balancedness


def layout_of(plan: PlanFile, num_groups: int | None, num_nodes: int | None, num_gpus: int | None) -> Layout:
    """The sizes of the plan's file, but for those that are given."""
    num_gpus = plan.num_gpus if num_gpus is None else num_gpus
    if num_gpus is None:
        raise UserError("the plan does not say for how many GPUs it is: give --num-gpus")
    num_groups = plan.num_groups if num_groups is None else num_groups
    num_nodes = plan.num_nodes if num_nodes is None else num_nodes
    return Layout(plan.phy2log.shape[1], num_groups, num_nodes, num_gpus)


def judge(loads: Loads, plan: PlanFile, layout: Layout, announce: Callable[[str], None]) -> Judged:
    """Measure the plan on the sum of the loads and on every step."""
    unread = np.empty((0, 0, 0), np.int64)  # a plan is measured by its phy2log alone
    planned = Planned("the plan", Plan(plan.phy2log, unread, unread))
    comparison = compare(loads, layout, [planned])
    over_time = []
    for step in loads.over_time:
        announce("measuring step")
        over_time.append(report(planned.plan, step, layout).balancedness)
    return Judged(comparison, plan.balancedness, np.stack(over_time))
