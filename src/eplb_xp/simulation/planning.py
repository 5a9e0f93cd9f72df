"""The plans of a strategy over time, and from which step on each layer has them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from eplb_xp.loads.samples import samples
from eplb_xp.planning import rebalance_experts
from eplb_xp.simulation.arrays import Numbers
from eplb_xp.simulation.strategy import Strategy
from eplb_xp.types import Plan


class Sizes(NamedTuple):
    """Of all plans, and how an engine takes them up."""

    num_replicas: int
    num_groups: int
    num_nodes: int
    num_gpus: int
    gpus_per_node: int
    delay: int  # steps from the end of a window to the first layer that has its plan
    layers_per_step: int  # that take it up

    def replicas(self, strategy: Strategy) -> int:
        """With what a strategy has more."""
        return self.num_replicas + strategy.more_slots * self.num_gpus


class Period(NamedTuple):
    """A plan, and the steps in which it is in use."""

    made: int  # the step before which it is made
    window: slice  # of the steps that it is made from
    first: Numbers  # [layers] the step from which each layer has it
    end: Numbers  # [layers] the first step in which it has it no more
    plan: Plan[Numbers]


def periods(trace: Numbers, start: int, strategy: Strategy, window: int, sizes: Sizes) -> Iterator[Period]:
    """One plan after the other; the first is in use from the start."""
    steps, layers, _ = trace.shape
    after = sizes.delay + np.arange(layers) // sizes.layers_per_step
    made = [start, *_later(start, steps - int(after[-1]), strategy.every)]
    first = [np.full(layers, start), *(at + after for at in made[1:]), np.full(layers, steps)]
    previous: Numbers | None = None
    for at, (begin, end) in zip(made, pairwise(first), strict=True):
        past = slice(at - (strategy.window or window), at)
        plan = _planned(trace[past], previous, strategy, sizes)
        previous = plan.phy2log
        yield Period(at, past, begin, end, plan)


def _later(start: int, end: int, every: int | None) -> range:
    return range(0) if every is None else range(start + every, end, every)


def _planned(past: Numbers, previous: Numbers | None, strategy: Strategy, sizes: Sizes) -> Plan[Numbers]:
    policy = strategy.policy
    if policy is None:
        raise ValueError(f"{strategy.name}: experts in order are not planned")
    replicas = sizes.replicas(strategy)
    if strategy.samples is None and strategy.half_life is None:
        weight = past.sum(axis=0, dtype=np.float64)
    else:
        weight = samples(past, strategy.samples or 1, strategy.half_life)
        weight = weight if strategy.samples else weight[0]
    shape = replicas, sizes.num_groups, sizes.num_nodes, sizes.num_gpus
    following: dict[str, Any] = {}
    if previous is not None and strategy.follows:
        following = {"previous": previous, "max_moves": strategy.budget(replicas), "min_gain": strategy.min_gain}
    return rebalance_experts(weight.astype(np.float32), *shape, policy=policy, **following)
