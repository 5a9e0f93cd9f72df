"""What is timed: every policy on both routes on every library, and the plans that must come out first."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmarks.shared import baseline
from benchmarks.speed.libraries import BY_NAME, JIT_NATIVE, NATIVE, NUMPY_NATIVE, ONCE_WRITTEN, marks
from benchmarks.speed.loads import LOGNORMAL, ZIPF, Loads
from benchmarks.speed.sharing import SHARING, batch_of, check, sharer
from benchmarks.speed.targets import Target, target
from eplb_xp import POLICIES, Plan, Shares, rebalance_experts
from tests.support.libraries import NUMPY, Library, NumPyArray
from tests.support.plans import NAMES, assert_same, plan

ROUTES = {"global": (288, 1, 1, 32), "hierarchical": (288, 8, 4, 32)}  # replicas, groups, nodes, GPUs
# Few slots a GPU, where joint tries most: for native code alone, with which that takes milliseconds.
FEW_SLOTS = {"72 GPUs": (288, 1, 1, 72), "64 GPUs": (320, 1, 1, 64), "128 GPUs": (384, 1, 1, 128)}
# A plan that follows one of loads that have drifted since, for native code alone.
FOLLOWING = {"10 % moves": (288, 1, 1, 32)}
MOVES, DRIFT = 28, 0.1
# Of plans that take the once-written code seconds.
CHECKED_LAYERS = 4
ALL_ROUTES = ROUTES | FEW_SLOTS | FOLLOWING | SHARING


class Case(NamedTuple):
    """A policy on a route on a library, for loads of a family."""

    policy: str
    route: str
    library: Library
    family: str

    @property
    def target(self) -> Target | None:
        """How fast it should be."""
        return target(self.policy, self.route, self.library.name, self.family)

    def planner(self, loads: Loads) -> Callable[[], Plan[Any] | Shares[Any]]:
        """Make a plan of loads that are in the library already, or shares of a batch after them."""
        if self.route in SHARING:
            return sharer(self.library, *self._shared(loads))
        settings = _settings(self.policy, self.route, loads)
        array = self.library.asarray(loads.array())
        if self.route in FOLLOWING:
            previous = self.library.asarray(settings.pop("previous"))
            return partial(self.library.call, follow, previous, array, **settings)
        return partial(self.library.call, rebalance_experts, array, **settings)

    def check(self, loads: Loads) -> None:
        """The plan is that of the baseline for greedy, and that of NumPy for other policies; so are shares."""
        if self.route in SHARING:
            shared = self._shared(loads)
            check(sharer(self.library, *shared)(), *shared)
        elif self.route in ROUTES:
            got = plan(self.library, loads.array(), ALL_ROUTES[self.route], policy=self.policy)
            assert_same(got, _expected(self.policy, self.route, loads))
        else:
            made = (self.library.values(x)[:CHECKED_LAYERS].astype(np.int64) for x in self.planner(loads)())
            assert_same(Plan(*made), _of_first_layers(self.policy, self.route, loads))

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


def _settings(policy: str, route: str, loads: Loads) -> dict[str, Any]:
    """What is planned with."""
    settings: dict[str, Any] = {**dict(zip(NAMES, ALL_ROUTES[route], strict=True)), "policy": policy}
    if route in FOLLOWING:
        settings |= {"previous": _in_use(policy, route, loads), "max_moves": MOVES}
    return settings


@cache
def _in_use(policy: str, route: str, loads: Loads) -> NumPyArray:
    """The plan for what loads were before they drifted."""
    load = loads.array()
    drift = np.random.default_rng(loads.seed).lognormal(0, DRIFT, load.shape)
    slots: NumPyArray = plan(NUMPY, (load * drift).astype(np.float32), ALL_ROUTES[route], policy=policy).phy2log
    return slots


@cache
def _of_first_layers(policy: str, route: str, loads: Loads) -> Plan[NumPyArray]:
    """By the once-written code, to which a layer is the same beside others or not."""
    settings = _settings(policy, route, loads)
    if "previous" in settings:
        settings["previous"] = settings["previous"][:CHECKED_LAYERS]
    return rebalance_experts(loads.array()[:CHECKED_LAYERS], **settings)


@cache
def _expected(policy: str, route: str, loads: Loads) -> Plan[NumPyArray]:
    if policy == "greedy":
        return baseline_planner(route, loads)()
    return plan(NUMPY, loads.array(), ALL_ROUTES[route], policy=policy)


def _cases() -> Iterator[Case]:
    for route in ROUTES:
        for policy in POLICIES:
            yield from (Case(policy, route, BY_NAME[name], LOGNORMAL) for name in ONCE_WRITTEN)
            yield from (Case(policy, route, library, LOGNORMAL) for library in NATIVE)
            yield Case(policy, route, NUMPY_NATIVE, ZIPF)
    for route in FEW_SLOTS | FOLLOWING:
        yield from (Case("joint", route, NUMPY_NATIVE, family) for family in (LOGNORMAL, ZIPF))
    yield from (Case("joint", route, JIT_NATIVE, LOGNORMAL) for route in FOLLOWING)
    yield from (Case("ring", route, library, LOGNORMAL) for route in SHARING for library in (NUMPY_NATIVE, JIT_NATIVE))


def _order(case: Case) -> tuple[int, int]:
    return [*POLICIES].index(case.policy), [*ALL_ROUTES].index(case.route)


def parameters(family: str | None) -> list[Any]:
    """Every case, all for loads of the family if one is named."""
    cases = sorted(_cases(), key=_order)
    if family:
        cases = [case._replace(family=family) for case in cases if case.family == LOGNORMAL]
    return [
        pytest.param(case, marks=marks(case.library), id="-".join((*case[:2], case.library.name, case.family)))
        for case in cases
    ]
