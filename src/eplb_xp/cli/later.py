"""How plans carry the steps that come after those that they were made for."""

from typing import NamedTuple

import numpy as np

from eplb_xp.cli.errors import refusals
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Numbers
from eplb_xp.simulation.slots import as_units, balancedness, gpu_loads, placed, slot_tokens
from eplb_xp.types import Plan

# Of the steps, these are planned for, and at most so many of the others judged.
PLANNED, OF = 5, 7
MOST_JUDGED = 64

# Steps whose shares are made in one call.
AT_ONCE = 16


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


def judge_later(plan: Plan[Numbers], steps: Numbers, planned: int, layout: Layout) -> Later:
    """Measure a plan of so many steps on those that follow, each under equal and under its best shares."""
    gpu_load = np.stack([equal_load(plan.phy2log, as_units(step) / plan.logcnt, layout.num_gpus) for step in steps])
    best = best_balancedness(plan.phy2log, steps, layout)
    return Later(balancedness(gpu_load), best, steps.max(axis=2) > 0, gpu_load[0], planned)


def best_balancedness(phy2log: Numbers, steps: Numbers, layout: Layout) -> Numbers:
    """Of each step and layer, under the shares made for the step: [steps, layers]."""
    layers, experts = steps.shape[1:]
    gpus = layout.num_gpus
    with refusals():
        where = placed(phy2log, np.ones((layers, experts)), gpus, best_shares=True)
        # Layers don't touch each other, so those of several steps are shared at once.
        found = [
            gpu_loads(
                slot_tokens(where.at(np.tile(np.arange(layers), len(some))), some.reshape(-1, experts), gpus), gpus
            )
            for some in (steps[start : start + AT_ONCE] for start in range(0, len(steps), AT_ONCE))
        ]
    return balancedness(np.concatenate(found)).reshape(len(steps), layers)


def equal_load(phy2log: Numbers, share: Numbers, num_gpus: int) -> Numbers:
    """Loads of the GPUs, given that of a replica of each expert [layers, experts]: [layers, gpus]."""
    return gpu_loads(np.take_along_axis(share, phy2log, axis=1), num_gpus)
