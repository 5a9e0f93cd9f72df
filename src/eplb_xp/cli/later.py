"""How plans carry the steps that come after those that they were made for."""

from typing import NamedTuple

import numpy as np

from eplb_xp.algorithms.sharing.tokens import MOST_TOKENS
from eplb_xp.cli.errors import refusals
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Numbers
from eplb_xp.sharing import prepare_shares, share_tokens
from eplb_xp.types import Plan, Prepared

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
    found = []
    with refusals():
        # Of the last array only the shape is read: [layers, experts].
        prepared = prepare_shares((phy2log, phy2log, steps[0]), layout.num_gpus)
        for start in range(0, len(steps), AT_ONCE):
            some = steps[start : start + AT_ONCE]
            # Layers don't touch each other, so those of several steps are shared at once.
            of_each = [np.tile(x, (len(some), 1)) for x in (phy2log, *prepared)]
            shares = share_tokens(
                (of_each[0],) * 3,
                _tokens(some).reshape(-1, experts),
                layout.num_gpus,
                prepared=Prepared(*of_each[1:]),
            )
            found.append(balancedness(shares.gpu_load).reshape(len(some), layers))
    return np.concatenate(found)


def equal_load(phy2log: Numbers, share: Numbers, num_gpus: int) -> Numbers:
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
