"""How plans carry the steps that come after those that they were made for."""

from typing import NamedTuple

import numpy as np

from eplb_xp.algorithms.sharing.tokens import MOST_TOKENS
from eplb_xp.cli.errors import refusals
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Numbers
from eplb_xp.evaluation import evaluate
from eplb_xp.sharing import prepare_shares, share_tokens
from eplb_xp.types import Plan, Prepared

# Of the steps, these are planned for, and at most so many of the others judged.
PLANNED, OF = 5, 7
MOST_JUDGED = 64


class Later(NamedTuple):
    """Balancedness in later steps: [steps, layers] each."""

    equal: Numbers  # replicas sharing equally
    best: Numbers  # shares made for the step
    busy: Numbers  # which layers have tokens
    gpu_load: Numbers  # [layers, gpus] of the first of the steps, shared equally, in units of its busiest expert
    planned: int  # steps that were planned for

    @property
    def means(self) -> tuple[float | None, float | None]:
        """Of equal and of the best shares, over what has tokens."""
        if not self.busy.any():
            return None, None
        return float(self.equal[self.busy].mean()), float(self.best[self.busy].mean())


class Backtest(NamedTuple):
    """Plans made from the first steps, and the steps that follow."""

    plans: tuple[Plan[Numbers], ...]
    steps: Numbers  # [steps, layers, experts]
    planned: int  # steps that the plans were made from


def split(over_time: Numbers) -> tuple[Numbers, Numbers] | None:
    """The steps to plan for and those to judge on, of [steps, layers, experts]; None where there is but one."""
    steps = len(over_time)
    if steps < 2:
        return None
    planned = max(steps * PLANNED // OF, 1)
    return over_time[:planned], over_time[planned : planned + MOST_JUDGED]


def judge_later(plan: Plan[Numbers], backtest: Backtest, layout: Layout) -> Later:
    """Measure a plan on the steps that follow, each under equal and under its best shares."""
    equal, best, loads = [], [], []
    with refusals():
        prepared = prepare_shares(plan, layout.num_gpus)
        for step in backtest.steps:
            report = evaluate(plan, as_units(step), layout.num_gpus)
            equal.append(report.balancedness)
            best.append(best_balancedness(plan, step, layout, prepared))
            loads.append(report.gpu_load)
    busy = backtest.steps.max(axis=2) > 0
    return Later(np.stack(equal), np.stack(best), busy, loads[0], backtest.planned)


def best_balancedness(plan: Plan[Numbers], step: Numbers, layout: Layout, prepared: Prepared[Numbers]) -> Numbers:
    """Of each layer, under the shares made for a step."""
    return balancedness(share_tokens(plan, _tokens(step), layout.num_gpus, prepared=prepared).gpu_load)


def _tokens(step: Numbers) -> Numbers:
    """Whole tokens as they are, where shares can be made of them."""
    are_whole = step.dtype.kind in "iu" and step.sum(axis=-1, dtype=np.float64).max(initial=0) < MOST_TOKENS
    return step if are_whole else as_units(step)


def balancedness(gpu_load: Numbers) -> Numbers:
    """Mean GPU load / that of the busiest; 1 where there is none: [..., gpus] -> [...]."""
    busiest = gpu_load.max(axis=-1)
    idle = busiest == 0
    return np.where(idle, 1, gpu_load.mean(axis=-1) / np.where(idle, 1, busiest))


def as_units(load: Numbers) -> Numbers:
    """Only ratios within a layer are shown; in units of the busiest expert no sum can overflow."""
    busiest = load.max(axis=-1, keepdims=True)
    return load / np.where(busiest == 0, 1, busiest)
