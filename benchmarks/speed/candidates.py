"""What is timed: every policy on both routes on every library, and the plans that must come out first."""

import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

# The tests would ask for four of them.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

import pytest
import torch

from benchmarks.shared import baseline
from benchmarks.speed.targets import TARGETS, Target
from eplb_xp import POLICIES, Plan, rebalance_experts
from tests.support.libraries import LIBRARIES, NUMPY, Library, NumPyArray
from tests.support.loads import FAMILIES, batch
from tests.support.plans import NAMES, assert_same, plan

LAYERS, EXPERTS = 58, 256
ROUTES = {"global": (288, 1, 1, 32), "hierarchical": (288, 8, 4, 32)}  # replicas, groups, nodes, GPUs
TIMED = ("numpy", "torch", "torch-cuda", "jax", "jax-jit")
# The baseline scales nothing, so sums overflow there, or loads that the planner counts as zero still count.
FAMILIES_OF_ORDINARY_SIZE = sorted({*FAMILIES} - {"geometric .5", "subnormal", "near the largest", "huge and tiny"})


class Loads(NamedTuple):
    """Loads that can be made again: [layers, experts] float32."""

    family: str
    seed: int

    def array(self) -> NumPyArray:
        """The loads themselves."""
        return batch(self.family, self.seed, LAYERS, EXPERTS)


class Case(NamedTuple):
    """A policy on a route on a library."""

    policy: str
    route: str
    library: Library

    @property
    def target(self) -> Target | None:
        """How fast it should be."""
        return TARGETS.get((self.policy, self.route, self.library.name))

    def planner(self, loads: Loads) -> Callable[[], Plan[Any]]:
        """Make a plan of loads that are in the library already."""
        sizes: dict[str, Any] = dict(zip(NAMES, ROUTES[self.route], strict=True))
        array = self.library.asarray(loads.array())
        return partial(self.library.call, rebalance_experts, array, **sizes, policy=self.policy)

    def check(self, loads: Loads) -> None:
        """The plan is that of the baseline for greedy, and that of NumPy for other policies."""
        got = plan(self.library, loads.array(), ROUTES[self.route], policy=self.policy)
        assert_same(got, _expected(self.policy, self.route, loads))


def baseline_planner(route: str, loads: Loads) -> Callable[[], Plan[NumPyArray]]:
    """The baseline on that route."""
    return partial(baseline.rebalance_experts, loads.array(), *ROUTES[route])


@cache
def _expected(policy: str, route: str, loads: Loads) -> Plan[NumPyArray]:
    if policy == "greedy":
        return baseline_planner(route, loads)()
    return plan(NUMPY, loads.array(), ROUTES[route], policy=policy)


def _marks(library: Library) -> list[pytest.MarkDecorator]:
    if library.name != "torch-cuda":
        return []
    no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
    return [pytest.mark.cuda, no_gpu]


every_case = pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case(policy, route, library), marks=_marks(library), id=f"{policy}-{route}-{library.name}")
        for policy in POLICIES
        for route in ROUTES
        for library in LIBRARIES
        if library.name in TIMED
    ],
)
