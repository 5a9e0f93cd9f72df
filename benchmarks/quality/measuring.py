"""How good the plans of each policy are, and how long they take."""

from collections.abc import Sequence
from functools import cache, partial
from statistics import median
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.quality.sizes import Size
from benchmarks.shared.timing import finished, seconds
from eplb_xp import Plan, Policy, evaluate, rebalance_experts
from tests.support.libraries import NumPyArray

BUDGET, MOST_ROUNDS = 0.1, 20  # seconds for the rounds after the first


class Row(NamedTuple):
    """What a policy makes of loads. A gap and a balancedness are shares, not per cent."""

    load: str
    layers: int
    experts: int
    size: Size
    policy: str
    mean_gap: float
    worst_gap: float
    balancedness: float  # mean
    doubled: int  # in all layers
    seconds: float  # median
    rounds: int
    ratio: float  # to greedy's time


def rows(name: str, load: NumPyArray, size: Size, policies: Sequence[str | Policy]) -> list[Row]:
    """A row for each policy, greedy before all others."""
    weight = jax.device_put(load.astype(np.float32), jax.devices("cpu")[0])
    layers, experts = load.shape
    found: list[Row] = []
    for policy in policies:
        call = partial(_planner(size, policy), weight)
        figures = _figures(finished(call), load, size)  # the warm-up
        times = [seconds(call)]
        times += [seconds(call) for _ in range(min(int(BUDGET / times[0]), MOST_ROUNDS))]
        ratio = median(times) / (found[0].seconds if found else median(times))
        found.append(Row(name, layers, experts, size, str(policy), *figures, median(times), len(times), ratio))
    return found


@cache
def _planner(size: Size, policy: str | Policy) -> Any:
    return jax.jit(
        partial(
            rebalance_experts,
            num_replicas=size.replicas,
            num_groups=size.groups,
            num_nodes=size.nodes,
            num_gpus=size.gpus,
            policy=policy,
        )
    )


def _figures(plan: Plan[jax.Array], load: NumPyArray, size: Size) -> tuple[float, float, float, int]:
    """Mean and worst gap, mean balancedness, both of the layers with load, and doubled replicas."""
    on_host = Plan(*map(np.asarray, plan))
    report = evaluate(on_host, load, size.gpus, num_groups=size.groups, num_nodes=size.nodes)
    busy = load.max(axis=1) > 0
    mean_gap, balancedness = (float(values[busy].mean(dtype=float)) for values in (report.gap, report.balancedness))
    return mean_gap, float(report.gap.max()), balancedness, int(report.doubled.sum())
