"""Time and memory of one plan of some size."""

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import torch

from benchmarks.growth.sizes import Size
from benchmarks.shared import baseline, memory
from benchmarks.shared.timing import finished, seconds
from eplb_xp import POLICIES, rebalance_experts
from tests.support.loads import batch

BUDGET, MOST_ROUNDS = 0.5, 50  # seconds for the rounds after the first
MOST_SLOTS = 1_200_000  # of all starts of all layers; more would take minutes, and gigabytes


class Series(NamedTuple):
    """What is followed from size to size."""

    policy: str
    library: str


class Ready(NamedTuple):
    """A plan to be made, compiled where it is."""

    call: Callable[[], Any]
    peak: Callable[[], int]


class Cost(NamedTuple):
    """What a plan costs."""

    seconds: float  # median
    rounds: int
    peak_bytes: int
    plan_bytes: int


class Skipped(NamedTuple):
    """Why there is no cost."""

    reason: str


Found = dict[tuple[Series, Size], Cost | Skipped]


def cost(series: Series, size: Size) -> Cost | Skipped:
    """Measure it, or say why not."""
    if POLICIES[series.policy].starts * size.layers * size.replicas > MOST_SLOTS:
        return Skipped(f"more than {MOST_SLOTS / 1e6:g} million slots in all starts")
    call, peak = MAKERS[series.library](series.policy, size)
    plan_bytes = sum(array.nbytes for array in finished(call))  # the warm-up
    times = [seconds(call)]
    times += [seconds(call) for _ in range(min(int(BUDGET / times[0]), MOST_ROUNDS))]
    return Cost(median(times), len(times), peak(), plan_bytes)


def _loads(size: Size) -> Any:
    return batch("lognormal", 0, size.layers, size.experts)


def _sizes(size: Size) -> dict[str, Any]:
    return {"num_replicas": size.replicas, "num_groups": 1, "num_nodes": 1, "num_gpus": size.gpus}


def _baseline(_: str, size: Size) -> Ready:
    call = partial(baseline.rebalance_experts, _loads(size), **_sizes(size))
    return Ready(call, partial(memory.numpy_peak, call))


def _numpy(policy: str, size: Size) -> Ready:
    call = partial(rebalance_experts, _loads(size), **_sizes(size), policy=policy)
    return Ready(call, partial(memory.numpy_peak, call))


def _torch(policy: str, size: Size) -> Ready:
    call = partial(rebalance_experts, torch.asarray(_loads(size)), **_sizes(size), policy=policy)
    return Ready(call, partial(memory.torch_peak, call))


def _jax_jit(policy: str, size: Size) -> Ready:
    load = jnp.asarray(_loads(size))
    compiled = jax.jit(partial(rebalance_experts, **_sizes(size), policy=policy)).lower(load).compile()
    return Ready(partial(compiled, load), partial(memory.xla_peak, compiled))


MAKERS: dict[str, Callable[[str, Size], Ready]] = {
    "baseline": _baseline,
    "numpy": _numpy,
    "torch": _torch,
    "jax-jit": _jax_jit,
}
