"""A plan from the library that was asked for, and how long it takes."""

import importlib
import statistics
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from eplb_xp.cli.errors import UserError, refusals
from eplb_xp.cli.layout import Layout
from eplb_xp.planning import rebalance_experts
from eplb_xp.types import Plan

Numbers: TypeAlias = np.ndarray[Any, Any]
Result = TypeVar("Result")

# After the first call there are at most so many more, and none begins after so many seconds.
REPEATS = 5
SECONDS = 0.5


class Backend(StrEnum):
    """Libraries that the command line can plan with."""

    numpy = "numpy"
    jax = "jax"
    torch = "torch"


# Where each has its asarray.
NAMESPACES = {Backend.numpy: "numpy", Backend.jax: "jax.numpy", Backend.torch: "torch"}


class Times(NamedTuple):
    """Seconds from loads in the library's arrays to a plan in host memory."""

    first_call: float  # compiles, where the library does
    later_calls: float  # the median


class Planned(NamedTuple):
    """A plan to measure."""

    name: str
    plan: Plan[Numbers]
    times: Times | None = None


class Reach(NamedTuple):
    """Which GPUs are near each other, and what a move between others counts."""

    gpus_per_node: int | None = None
    far_cost: int = 1


class Following(NamedTuple):
    """The plan in use, and how much of it may change."""

    previous: Numbers  # phy2log [layers, replicas]
    max_moves: int | None = None
    min_gain: float = 0.0
    gpus_per_node: int | None = None
    far_cost: int = 1


class Planner(NamedTuple):
    """How to plan."""

    policy: str
    backend: Backend = Backend.numpy
    max_replicas: int | None = None
    following: Following | None = None

    def plan(self, load: Numbers, layout: Layout) -> Planned:
        """A plan for loads [layers, experts] or [samples, layers, experts]."""
        return Planned(self.policy, self._calls(load, layout)())

    def timed_plan(self, load: Numbers, layout: Layout) -> Planned:
        """A plan, made several times."""
        call = self._calls(load, layout)
        first_call, plan = _timed(call)
        later_calls: list[float] = []
        while not later_calls or (len(later_calls) < REPEATS and sum(later_calls) < SECONDS):
            later_calls.append(_timed(call)[0])
        return Planned(self.policy, plan, Times(first_call, statistics.median(later_calls)))

    def _calls(self, load: Numbers, layout: Layout) -> Callable[[], Plan[Numbers]]:
        """What makes the plan at each call, the loads already in the library's array."""
        # As float32, which planning casts to anyway: JAX would wrap integers beyond int32.
        weight = in_library(self.backend, load.astype(np.float32))
        settings: dict[str, Any] = {"policy": self.policy, "max_replicas": self.max_replicas}
        if self.following is not None:
            previous = in_library(self.backend, self.following.previous.astype(np.int32))
            settings |= {**self.following._asdict(), "previous": previous}

        def call() -> Plan[Numbers]:
            with refusals():
                made = rebalance_experts(weight, *layout, **settings)
            return Plan(*(np.asarray(each).astype(np.int64, copy=False) for each in made))  # waits for the device

        return call


def in_library(backend: Backend, array: Numbers) -> Any:
    """An array of float32 or int32, which JAX has too, in the library's own."""
    try:
        return importlib.import_module(NAMESPACES[backend]).asarray(array)
    except ImportError as error:
        raise UserError(
            f'--backend {backend} can\'t be imported ({error}): pip install "eplb-xp[{backend}]"'
        ) from error


def _timed(call: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    made = call()
    return time.perf_counter() - start, made
