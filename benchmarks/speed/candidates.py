"""What is timed: every policy on both routes on every library, and the plans that must come out first."""

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

# The tests would ask for four of them.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")
# Native code has rows of its own; all others are of the once-written code.
os.environ.setdefault("EPLB_XP_KERNELS", "triton")

import numpy as np
import pytest
import torch

from benchmarks.shared import baseline
from benchmarks.speed.natively import JitNative
from benchmarks.speed.sharing import SHARING, batch_of, check, sharer
from benchmarks.speed.targets import TARGETS, Target
from eplb_xp import POLICIES, Plan, Shares, rebalance_experts
from tests.support.libraries import LIBRARIES, NUMPY, Library, NumPyArray
from tests.support.loads import FAMILIES, batch
from tests.support.native import needs_native
from tests.support.plans import NAMES, assert_same, plan

LAYERS, EXPERTS = 58, 256
ROUTES = {"global": (288, 1, 1, 32), "hierarchical": (288, 8, 4, 32)}  # replicas, groups, nodes, GPUs
# Few slots a GPU, where joint tries most: for native code alone, with which that takes milliseconds.
FEW_SLOTS = {"72 GPUs": (288, 1, 1, 72), "64 GPUs": (320, 1, 1, 64), "128 GPUs": (384, 1, 1, 128)}
# A plan that follows one of loads that have drifted since, for native code alone.
FOLLOWING = {"10 % moves": (288, 1, 1, 32)}
MOVES, DRIFT = 28, 0.1
CHECKED_LAYERS = 4  # of such a plan, which takes the once-written code seconds
ALL_ROUTES = ROUTES | FEW_SLOTS | FOLLOWING | SHARING
JIT_NATIVE = JitNative("jax-jit-native")
TIMED = ("numpy", "numpy-native", "torch", "torch-cuda", "jax", "jax-jit")
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

    def planner(self, loads: Loads) -> Callable[[], Plan[Any] | Shares[Any]]:
        """Make a plan of loads that are in the library already, or shares of a batch after them."""
        if self.route in SHARING:
            return sharer(self.library, *self._shared(loads))
        settings: dict[str, Any] = dict(zip(NAMES, ALL_ROUTES[self.route], strict=True)) | {"policy": self.policy}
        array = self.library.asarray(loads.array())
        if self.route in FOLLOWING:
            previous = self.library.asarray(_in_use(self.policy, self.route, loads))
            return partial(self.library.call, follow, previous, array, **settings, max_moves=MOVES)
        return partial(self.library.call, rebalance_experts, array, **settings)

    def check(self, loads: Loads) -> None:
        """The plan is that of the baseline for greedy, and that of NumPy for other policies; so are shares."""
        if self.route in SHARING:
            shared = self._shared(loads)
            check(sharer(self.library, *shared)(), *shared)
            return
        if self.route in FOLLOWING:
            made = (self.library.values(x)[:CHECKED_LAYERS].astype(np.int64) for x in self.planner(loads)())
            assert_same(Plan(*made), _followed(self, loads))
            return
        got = plan(self.library, loads.array(), ALL_ROUTES[self.route], policy=self.policy)
        assert_same(got, _expected(self.policy, self.route, loads))

    def _shared(self, loads: Loads) -> tuple[Plan[NumPyArray], NumPyArray, int]:
        """A plan, a later batch, and GPUs."""
        sizes = SHARING[self.route]
        return _expected(self.policy, self.route, loads), batch_of(loads.array(), loads.seed), sizes[-1]


def follow(previous: Any, weight: Any, **settings: Any) -> Plan[Any]:
    """A plan that follows the one in use."""
    return rebalance_experts(weight, previous=previous, **settings)


def baseline_planner(route: str, loads: Loads) -> Callable[[], Plan[NumPyArray]]:
    """The baseline on that route."""
    return partial(baseline.rebalance_experts, loads.array(), *ALL_ROUTES[route])


@cache
def _in_use(policy: str, route: str, loads: Loads) -> NumPyArray:
    """The plan for what loads were before they drifted."""
    load = loads.array()
    drift = np.random.default_rng(loads.seed).lognormal(0, DRIFT, load.shape)
    slots: NumPyArray = plan(NUMPY, (load * drift).astype(np.float32), ALL_ROUTES[route], policy=policy).phy2log
    return slots


def _followed(case: Case, loads: Loads) -> Plan[NumPyArray]:
    """The first layers of the plan that follows it, by the once-written code."""
    load, previous = (x[:CHECKED_LAYERS] for x in (loads.array(), _in_use(case.policy, case.route, loads)))
    settings: dict[str, Any] = dict(zip(NAMES, ALL_ROUTES[case.route], strict=True))
    return follow(previous, load, **settings, policy=case.policy, max_moves=MOVES)


@cache
def _expected(policy: str, route: str, loads: Loads) -> Plan[NumPyArray]:
    if policy == "greedy":
        return baseline_planner(route, loads)()
    return plan(NUMPY, loads.array(), ALL_ROUTES[route], policy=policy)


def _marks(library: Library) -> list[pytest.MarkDecorator]:
    if library.name in ("numpy-native", JIT_NATIVE.name):
        return [needs_native]
    if library.name != "torch-cuda":
        return []
    no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
    return [pytest.mark.cuda, no_gpu]


def _cases() -> Iterator[Case]:
    for library in LIBRARIES:
        if library.name in TIMED:
            yield from (Case(policy, route, library) for policy in POLICIES for route in ROUTES)
        if library.name == "numpy-native":
            yield from (Case("joint", route, library) for route in FEW_SLOTS | FOLLOWING)
            yield from (Case("ring", route, library) for route in SHARING)
    yield from (Case("joint", route, JIT_NATIVE) for route in FOLLOWING)


every_case = pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=_marks(case.library), id=f"{case.policy}-{case.route}-{case.library.name}")
        for case in sorted(_cases(), key=lambda case: ([*POLICIES].index(case.policy), [*ALL_ROUTES].index(case.route)))
    ],
)
