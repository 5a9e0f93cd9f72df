"""A plan from the library that was asked for, and how long it takes."""

import importlib
import re
import statistics
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from eplb_xp.cli.errors import UserError
from eplb_xp.planning import rebalance_experts
from eplb_xp.types import Plan

Numbers: TypeAlias = np.ndarray[Any, Any]
Result = TypeVar("Result")

REPEATS = 5


class Backend(StrEnum):
    """Libraries that the command line can plan with."""

    numpy = "numpy"
    jax = "jax"
    torch = "torch"


# Where each has its asarray.
NAMESPACES = {Backend.numpy: "numpy", Backend.jax: "jax.numpy", Backend.torch: "torch"}


class Request(NamedTuple):
    """What is asked for."""

    num_replicas: int
    num_groups: int
    num_nodes: int
    num_gpus: int
    policy: str
    backend: Backend

    @property
    def keeps_groups(self) -> bool:
        """Whether whole groups are kept on nodes, of which there are several."""
        return self.num_nodes > 1 and self.num_groups % self.num_nodes == 0

    def __str__(self) -> str:
        where = f"{self.num_replicas} replicas on {self.num_gpus} GPUs"
        if self.keeps_groups:
            each = self.num_groups // self.num_nodes
            return f"{where} of {self.num_nodes} nodes, {each} whole group{'s' if each > 1 else ''} on each"
        if self.num_nodes > 1:
            return f"{where}; {self.num_groups} groups don't divide over {self.num_nodes} nodes: both ignored"
        return where


class TimedPlan(NamedTuple):
    """A plan, and the seconds from loads in the library's arrays to a plan in host memory."""

    plan: Plan[Numbers]
    first_call: float  # compiles, where the library does
    planning_time: float  # median of the calls after it


def make_plan(load: Numbers, request: Request) -> TimedPlan:
    """Plan with the library of the request."""
    try:
        namespace = importlib.import_module(NAMESPACES[request.backend])
    except ImportError as error:
        raise UserError(
            f'--backend {request.backend} can\'t be imported ({error}): pip install "eplb-xp[{request.backend}]"'
        ) from error
    # As float32, which planning casts to anyway: JAX would wrap integers beyond int32.
    weight = namespace.asarray(load.astype(np.float32))

    def plan() -> Plan[Numbers]:
        made = rebalance_experts(weight, *request[:4], policy=request.policy)
        return Plan(*map(np.asarray, made))  # waits for the device

    try:
        first_call, made = _timed(plan)
    except ValueError as error:
        raise UserError(_with_options(str(error))) from error
    planning_time = statistics.median(_timed(plan)[0] for _ in range(REPEATS))
    return TimedPlan(Plan(*(x.astype(np.int64) for x in made)), first_call, planning_time)


def _timed(plan: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    made = plan()
    return time.perf_counter() - start, made


def _with_options(message: str) -> str:
    """The library's message, with its arguments under the names that they have on the command line."""
    return re.sub(r"\bnum_(replicas|groups|nodes|gpus)\b", r"--num-\1", message)
