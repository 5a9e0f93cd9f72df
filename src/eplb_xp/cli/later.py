"""How plans carry the steps that come after those that they were made for."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from eplb_xp.algorithms.sharing.tokens import MOST_TOKENS
from eplb_xp.cli.errors import refusals
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Numbers
from eplb_xp.sharing import share_tokens
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


def judge_later(plan: Plan[Numbers], backtest: Backtest, layout: Layout) -> Later:
    """Measure a plan on the steps that follow, each under equal and under its best shares."""
    replicas = np.stack([np.bincount(row, minlength=backtest.steps.shape[2]) for row in plan.phy2log])
    gpu_load = np.stack([_equal(plan.phy2log, as_units(step) / replicas, layout.num_gpus) for step in backtest.steps])
    best = np.concatenate(list(best_balancedness(plan.phy2log, backtest.steps, layout)))
    busy = backtest.steps.max(axis=2) > 0
    return Later(balancedness(gpu_load), best, busy, gpu_load[0], backtest.planned)


def best_balancedness(phy2log: Numbers, steps: Numbers, layout: Layout) -> Iterator[Numbers]:
    """Of each step and layer, under the shares made for the step; some steps after the other: [steps, layers]."""
    layers, experts = steps.shape[1:]
    with refusals():
        for start in range(0, len(steps), AT_ONCE):
            some = steps[start : start + AT_ONCE]
            plans = np.tile(phy2log, (len(some), 1))  # layers of all steps don't touch each other
            shares = share_tokens((plans,) * 3, _tokens(some).reshape(-1, experts), layout.num_gpus)
            yield balancedness(shares.gpu_load).reshape(len(some), layers)


def _equal(phy2log: Numbers, share: Numbers, num_gpus: int) -> Numbers:
    """Loads of the GPUs, given that of a replica of each expert [layers, experts]: [layers, gpus]."""
    slot_load = np.take_along_axis(share, phy2log, axis=1)
    return slot_load.reshape(len(phy2log), num_gpus, -1).sum(axis=2)


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
