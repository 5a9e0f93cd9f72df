"""What was found out about plans on the GPU."""

from statistics import median, quantiles
from typing import NamedTuple

from benchmarks.gpu.cases import Work


class Times(NamedTuple):
    """Microseconds of a plan, or of whatever is timed."""

    median: float
    lower: float  # quartile
    upper: float
    rounds: int
    slowest: float | None = None  # median of one of the sets of loads


class Missing(NamedTuple):
    """Why something was not measured."""

    reason: str


class Found(NamedTuple):
    """By case and way the times, and by case what one plan puts on the GPU."""

    times: dict[tuple[Work, str], Times | Missing]
    launches: dict[Work, tuple[str, ...] | Missing]


def times(microseconds: list[float], sets: int | None = None) -> Times:
    """The median and the quartiles of two rounds or more; of as many sets in turn also the slowest one's median."""
    lower, middle, upper = quantiles(microseconds, n=4, method="inclusive")
    slowest = None if sets is None else max(median(microseconds[i::sets]) for i in range(min(sets, len(microseconds))))
    return Times(middle, lower, upper, len(microseconds), slowest)
