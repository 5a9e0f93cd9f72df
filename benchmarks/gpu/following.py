"""Plans that follow one in use on the GPU: that plan, and loads that have changed since it was made."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from benchmarks.gpu.batches import Place
from benchmarks.gpu.loads import SEED, SETS, NumPyArray
from eplb_xp import rebalance_experts

SPREAD = 1.0  # of the logarithms of loads
DRIFT = 0.1  # of the logarithms of what loads are multiplied by since


class Following(NamedTuple):
    """Sizes of a plan that changes by few moves."""

    replicas: int
    gpus: int
    layers: int = 58
    experts: int = 256
    part: int = 10  # one in so many slots may move

    def __str__(self) -> str:
        return f"following, {self.layers} x {self.experts}, {self.replicas} / {self.gpus}"

    @property
    def moves(self) -> int:
        """How many may move in each layer."""
        return self.replicas // self.part


FOLLOWED = Following(288, 32), Following(320, 64), Following(384, 128), Following(288, 72)


@cache
def _before(layers: int, experts: int) -> NumPyArray:
    """Loads that plans in use were made for: [layers, experts] float32."""
    return np.random.default_rng(SEED).lognormal(0, SPREAD, (layers, experts)).astype(np.float32)


@cache
def _in_use(case: Following) -> NumPyArray:
    """By policy joint."""
    load = _before(case.layers, case.experts)
    slots: NumPyArray = rebalance_experts(load, case.replicas, 1, 1, case.gpus).phy2log
    return slots


def call_of(case: Following, place: Place) -> Callable[[Any], Any]:
    """What is called with loads; the plan in use is placed before."""
    sizes, previous = (case.replicas, 1, 1, case.gpus), place(_in_use(case))
    return lambda load: rebalance_experts(load, *sizes, previous=previous, max_moves=case.moves)


def timed(case: Following, seed: int = SEED, sets: int = SETS) -> NumPyArray:
    """Loads that have drifted: [sets, layers, experts] float32."""
    load = _before(case.layers, case.experts)
    factors = np.random.default_rng([seed, 1]).lognormal(0, DRIFT, (sets, *load.shape))
    return (load * factors).astype(np.float32)


def checked(case: Following, seed: int) -> list[tuple[NumPyArray, list[str]]]:
    """A fresh set: NumPy follows it in some seconds."""
    (load,) = timed(case, seed, 1)
    return [(load, ["drifted"] * case.layers)]
