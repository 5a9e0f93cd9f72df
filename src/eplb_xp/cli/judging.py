"""How a plan that was made before carries loads of now."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eplb_xp.cli.comparison import Comparison, compare, report
from eplb_xp.cli.errors import UserError
from eplb_xp.cli.files import Loads
from eplb_xp.cli.later import best_balancedness
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Numbers, Planned
from eplb_xp.cli.summary import Summary, of_balancedness
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.types import Plan


class Judged(NamedTuple):
    """A plan on loads that it may not have been made for."""

    comparison: Comparison
    predicted: Numbers | None  # [layers] balancedness on the loads that it was made for
    over_time: Numbers  # [steps, layers] balancedness, replicas sharing equally
    best_over_time: Numbers  # [steps, layers] under the best shares of each step
    predicted_busy: Numbers | None = None  # [layers] which had tokens then; not known of all plans

    @property
    def prediction(self) -> Summary | None:
        """What was predicted, in short: of all layers, where it is not known which had tokens."""
        if self.predicted is None:
            return None
        busy = np.ones(len(self.predicted), np.bool_) if self.predicted_busy is None else self.predicted_busy
        return of_balancedness(self.predicted, busy)


def layout_of(plan: Placement, num_groups: int | None, num_nodes: int | None, num_gpus: int | None) -> Layout:
    """The sizes of the plan's file, but for those that are given."""
    if num_gpus is None and plan.num_gpus is None:
        raise UserError("the plan does not say for how many GPUs it is: give --num-gpus")
    return Layout(
        plan.phy2log.shape[1],
        _first(num_groups, plan.num_groups),
        _first(num_nodes, plan.num_nodes),
        _first(num_gpus, plan.num_gpus),
    )


def _first(*sizes: int | None) -> int:
    """The first that is given, else 1."""
    return next((size for size in sizes if size is not None), 1)


def on_layers_of(loads: Loads, plan: Placement) -> Placement:
    """The plan for the layers that were chosen from the loads, by their numbers if it is for as many in all."""
    if plan.is_for_all_layers:
        return plan._replace(phy2log=np.repeat(plan.phy2log, len(loads.load), axis=0))
    there, chosen, in_file = len(plan.phy2log), len(loads.load), loads.layers_in_file
    rows = _rows(plan, in_file)
    if rows is not None:
        missing = [layer for layer in loads.layers if layer not in rows]
        if missing:
            raise UserError(
                f"the plan is for {there} of the {in_file} layers, and not for layer {missing[0]}: --layers A:B chooses"
                " those that it is for"
            )
        return plan.of_rows([rows[layer] for layer in loads.layers])
    if there != chosen:
        some = "" if chosen == in_file else f", of which --layers chooses {chosen}"
        raise UserError(
            f"the plan's number of layers is {there}, and that of the loads is {in_file}{some}: the plan must have all "
            "of them, or those that --layers A:B chooses"
        )
    return plan


def _rows(plan: Placement, in_file: int) -> dict[int, int] | None:
    """The plan's row for each layer of loads of so many, where it is known which it has."""
    there = len(plan.phy2log)
    if plan.num_layers is None and in_file == there:
        return {row: row for row in range(there)}  # in order: a model's numbers count layers without experts, too
    numbers = [*range(there)] if plan.layer_numbers is None else plan.layer_numbers.tolist()
    has_models_numbers = (
        plan.num_layers is None and plan.layer_numbers is not None and max(numbers, default=0) < in_file
    )
    known = has_models_numbers or plan.num_layers == in_file
    return {layer: row for row, layer in enumerate(numbers)} if known else None


def judge(loads: Loads, plan: Placement, layout: Layout, announce: Callable[[str], None]) -> Judged:
    """Measure the plan on the sum of the loads and on every step."""
    unread = np.empty((0, 0, 0), np.int64)  # a plan is measured by its phy2log alone
    planned = Planned("the plan", Plan(plan.phy2log, unread, unread))
    comparison = compare(loads, layout, [planned])
    over_time = []
    for step in loads.over_time:
        announce("measuring step")
        over_time.append(report(planned.plan, step, layout).balancedness)
    best = best_balancedness(plan.phy2log, loads.over_time, layout)
    return Judged(comparison, plan.balancedness, np.stack(over_time), best, plan.busy)
