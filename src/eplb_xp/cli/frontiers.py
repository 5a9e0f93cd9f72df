"""Plans for every number of moves from loads of some steps, and those of planners that count no moves."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from eplb_xp.cli.counted import Counted
from eplb_xp.cli.errors import refusals
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Backend, Following, Numbers, Planned, Planner, Reach, in_library
from eplb_xp.frontiers import frontier, plan_at, spend
from eplb_xp.types import Frontier

EPLB = "greedy"  # the policy that plans as EPLB does


class Made(NamedTuple):
    """All plans from the same loads."""

    frontier: Frontier[Numbers]
    fresh: tuple[Planned, ...]
    spent: Numbers | None  # [layers] moves, where some were to be divided

    def plan(self, moves: int | Numbers, search: "Search") -> Planned:
        """The one for a number of moves, the same in each layer or one for each."""
        return Planned(search.policy, plan_at(self.frontier, moves, max_replicas=search.max_replicas))

    @property
    def phy2log(self) -> Numbers:
        """Plans for 0, 1, 2 and more moves, the fresh ones, then that for what is spent: [plans, layers, replicas]."""
        plans = [*self.frontier.phy2log.swapaxes(0, 1), *(each.plan.phy2log for each in self.fresh)]
        if self.spent is not None:
            plans.append(plan_at(self.frontier, self.spent).phy2log)
        return np.stack(plans)


class Search(NamedTuple):
    """How to plan."""

    policy: str
    backend: Backend
    max_replicas: int | None
    previous: Numbers  # phy2log [layers, replicas]
    max_moves: int
    reach: Reach
    total: int | None  # moves to divide among the layers

    def make(self, over_time: Numbers, layout: Layout, counted: Counted, announce: Callable[[str], None]) -> Made:
        """Plans for loads [steps, layers, experts]."""
        load = counted.loads(over_time)
        announce(f"planning 0 to {self.max_moves} moves")
        found = self._frontier(load, layout)
        announce("planning afresh")
        eplb = Planner(EPLB, self.backend).plan(counted._replace(samples=None).loads(over_time), layout)
        following = Following(self.previous)
        relabelled = Planner(self.policy, self.backend, self.max_replicas, following).plan(load, layout)
        return Made(found, (eplb, relabelled), None if self.total is None else spend(found, self.total))

    def _frontier(self, load: Numbers, layout: Layout) -> Frontier[Numbers]:
        weight = in_library(self.backend, load.astype(np.float32))
        settings: dict[str, Any] = {
            "previous": in_library(self.backend, self.previous.astype(np.int32)),
            "max_moves": self.max_moves,
            "policy": self.policy,
            "max_replicas": self.max_replicas,
            **self.reach._asdict(),
        }
        with refusals():
            phy2log, logcnt, *figures = frontier(weight, *layout, **settings)
        whole = (np.asarray(each).astype(np.int64, copy=False) for each in (phy2log, logcnt))
        return Frontier(*whole, *(np.asarray(each) for each in figures))
