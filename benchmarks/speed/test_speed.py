"""The right plan everywhere, and only then how long it takes."""

from statistics import median
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.shared.timing import finished, seconds
from benchmarks.speed.candidates import ALL_ROUTES, Case, baseline_planner
from benchmarks.speed.loads import Loads
from tests.support.plans import NAMES

WARM_UP = 3
FEWEST, MOST = 3, 300  # rounds


def test_the_plan_is_right(case: Case, fresh_loads: Loads, timed_loads: Loads) -> None:
    case.check(fresh_loads)
    case.check(timed_loads)


def test_speed(
    case: Case, timed_loads: Loads, budget: float, request: pytest.FixtureRequest, benchmark: BenchmarkFixture
) -> None:
    """One plan of the baseline and one of the candidate, in turn, so that both see the same machine.

    Each comes after one that isn't timed, or the caches would be full of what the other left there.
    """
    if request.session.testsfailed:
        pytest.skip("something is red, so nothing is timed")
    case.check(timed_loads)  # again, for whoever selects this test alone
    planner, base = case.planner(timed_loads), baseline_planner(case.route, timed_loads)
    warm = min(seconds(planner) + seconds(base) for _ in range(WARM_UP))
    times: list[float] = []

    def before_each() -> None:
        finished(base)
        times.append(seconds(base))
        finished(planner)

    rounds = min(max(int(budget / (2 * warm)), FEWEST), MOST)
    timed: Any = benchmark
    timed.pedantic(finished, (planner,), setup=before_each, rounds=rounds)
    timed.extra_info |= timed_loads._asdict() | {
        "policy": case.policy,
        "route": case.route,
        "library": case.library.name,
        "sizes": dict(zip(NAMES, ALL_ROUTES[case.route], strict=True)),
        "baseline_seconds": times,
        "baseline_median": median(times),
        "ratio": timed.stats.stats.median / median(times),
        "target": target._asdict() if (target := case.target) else None,
    }
