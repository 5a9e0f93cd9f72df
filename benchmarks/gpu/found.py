"""What was found out about plans on the GPU."""

from statistics import quantiles
from typing import NamedTuple

from benchmarks.gpu.cases import Case


class Times(NamedTuple):
    """Microseconds of a plan."""

    median: float
    lower: float  # quartile
    upper: float
    rounds: int


class Missing(NamedTuple):
    """Why something was not measured."""

    reason: str


class Found(NamedTuple):
    """By case and way the times, and by case what one plan puts on the GPU."""

    times: dict[tuple[Case, str], Times | Missing]
    launches: dict[Case, tuple[str, ...] | Missing]


def times(microseconds: list[float]) -> Times:
    """The median and the quartiles of two rounds or more."""
    lower, median, upper = quantiles(microseconds, n=4, method="inclusive")
    return Times(median, lower, upper, len(microseconds))
