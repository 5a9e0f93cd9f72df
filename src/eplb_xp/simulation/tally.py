"""One strategy's plans, judged one after the other, and what they come to."""

from typing import NamedTuple

import numpy as np

from eplb_xp.simulation.arrays import means
from eplb_xp.simulation.judging import Measured, Steps
from eplb_xp.simulation.planning import Period, Sizes
from eplb_xp.simulation.scores import Score
from eplb_xp.simulation.slots import Placement, balancedness, gpu_loads, placed, slot_tokens
from eplb_xp.simulation.strategy import Strategy
from eplb_xp.simulation.transfers import Transfer, transfer

QUANTILES = (0.05, 0.5, 0.95)
LEAST_PROMISE = 0.01  # of balance: of less no part is told


class _Promise(NamedTuple):
    """Of a plan, on the window that it is made from, mean over layers; None without tokens."""

    made: int
    balance: float | None
    before: float | None  # of the plan that it replaces


class Tally:
    """What is known of a strategy so far."""

    def __init__(self, steps: Steps, strategy: Strategy, sizes: Sizes) -> None:
        self._steps = steps
        self._strategy = strategy
        self._sizes = sizes
        self._now, self._before = Measured(steps), Measured(steps)
        self._promises: list[_Promise] = []
        self._transfers: list[Transfer] = []
        self._first_end = len(steps.trace)  # from where on a plan has replaced the first one

    def add(self, period: Period, before: Placement) -> Placement:
        """Judge a plan on its steps, and the one that it replaces, as if that were still in use."""
        gpus, plan = self._sizes.num_gpus, period.plan
        now = placed(plan.phy2log, plan.logcnt, gpus, best_shares=self._strategy.best_shares)
        past = self._steps.trace[period.window].sum(axis=0)
        busy = past.max(axis=1) > 0
        balance = (means(balancedness(gpu_loads(slot_tokens(each, past, gpus), gpus)), busy) for each in (now, before))
        if self._promises:
            cost, near = self._steps.cost, self._sizes.gpus_per_node
            self._transfers.append(transfer(before.phy2log, plan.phy2log, gpus, near, cost))
            self._first_end = min(self._first_end, int(period.first.min()))
        self._promises.append(_Promise(period.made, *balance))
        self._now.add(now, period.first, period.end)
        self._before.add(before, period.first, period.end)
        return now

    def score(self, never: Measured) -> Score:
        """What it comes to, beside experts in order."""
        promised = [each.balance for each in self._promises if each.balance is not None]
        slots = self._sizes.replicas(self._strategy)
        all_slots = len(self._transfers) * self._now.balance.shape[1] * slots
        near, far, changed = (
            sum(getattr(each, name) for each in self._transfers) for name in ("near", "far", "changed")
        )
        found = _measured(self._strategy, self._steps, self._now, never)
        return found._replace(
            num_replicas=slots,
            plans=len(self._promises),
            planned=sum(promised) / len(promised) if promised else None,
            kept=self._kept(),
            moved=(near + far) / all_slots if all_slots else 0.0,
            changed=changed / all_slots if all_slots else 0.0,
            near_moves=near,
            far_moves=far,
            seconds_spent=found.seconds and sum(each.seconds for each in self._transfers) / self._steps.number,
            break_even=self._break_even(),
            promised=[(each.made, each.balance) for each in self._promises],
            moves=[each.near + each.far for each in self._transfers],
        )

    def _kept(self) -> float | None:
        pairs = [(p.balance, p.before) for p in self._promises if p.balance is not None and p.before is not None]
        if not pairs:
            return None
        promised = sum(balance - before for balance, before in pairs) / len(pairs)
        actual, before = (_actual(each) for each in (self._now, self._before))
        if promised < LEAST_PROMISE or actual is None or before is None:
            return None
        return (actual - before) / promised

    def _break_even(self) -> float | None:
        """Steps that a plan must be in use to gain, over the one before, what its moves take."""
        replaced = slice(self._first_end - self._steps.start, None)
        gained = float((self._before.seconds[replaced] - self._now.seconds[replaced]).sum())
        if self._steps.cost is None or not self._transfers or gained <= 0:
            return None
        a_step = gained / (len(self._steps.trace) - self._first_end)
        return sum(each.seconds for each in self._transfers) / len(self._transfers) / a_step


def score_in_order(strategy: Strategy, steps: Steps, never: Measured) -> Score:
    """Of experts in order, which nothing is promised of, and which never move."""
    return _measured(strategy, steps, never, never)


def _measured(strategy: Strategy, steps: Steps, now: Measured, never: Measured) -> Score:
    """What can be said of the steps alone."""
    busy = steps.busy
    layers = [_actual(now, layer) for layer in range(busy.shape[1])]
    balance = now.balance[busy]
    seconds = saved = spent = None
    if steps.cost is not None and busy.any():
        seconds, plain = (float(each.seconds.sum()) / steps.number for each in (now, never))
        saved, spent = plain - seconds, 0.0
    number = busy.sum(axis=1)
    of_steps = np.where(busy, now.balance, 0).sum(axis=1) / np.where(number, number, 1)
    return Score(
        strategy=strategy,
        num_replicas=steps.trace.shape[2],
        plans=0,
        planned=None,
        actual=_actual(now),
        kept=None,
        worst=min((each for each in layers if each is not None), default=None),
        by_step=float(balance.mean()) if balance.size else None,
        quantiles=tuple(np.quantile(balance, QUANTILES).tolist()) if balance.size else None,
        moved=0.0,
        changed=0.0,
        near_moves=0,
        far_moves=0,
        seconds=seconds,
        seconds_saved=saved,
        seconds_spent=spent,
        break_even=None,
        balance=np.where(number, of_steps, np.nan),
        promised=[],
        moves=[],
    )


def _actual(measured: Measured, layer: int | None = None) -> float | None:
    """The balance of blocks of steps, in the mean of them and of the layers, or of one."""
    gpu_load = measured.gpu_load if layer is None else measured.gpu_load[:, [layer]]
    return means(balancedness(gpu_load), gpu_load.max(axis=2) > 0)
