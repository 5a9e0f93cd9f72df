"""Figures: medians over processes, and what they may be at most."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.start.cases import Case
from benchmarks.start.processes import Process, Seconds


class Figure(NamedTuple):
    """A time in seconds, what it may be at most, and the parts that are known of it."""

    what: str
    of: tuple[str, ...]  # policy and size
    seconds: float
    at_most: float | None
    parts: Seconds

    @property
    def missed(self) -> bool:
        """Whether it took longer than it may."""
        return self.at_most is not None and self.seconds > self.at_most


class Skipped(NamedTuple):
    """What is not measured here, and why."""

    what: str
    why: str


def of_parts(what: str, case: Case, parts: Sequence[Seconds], at_most: float | None) -> Figure:
    """The time that all parts took together."""
    return figure(what, case, [sum(each.values()) for each in parts], parts, at_most)


def beyond(what: str, case: Case, added: Sequence[float], ended: Sequence[Process], at_most: float | None) -> Figure:
    """What processes took beyond others."""
    return figure(what, case, added, [process.wall for process in ended], at_most)


def figure(what: str, case: Case, seconds: Sequence[float], parts: Sequence[Seconds], at_most: float | None) -> Figure:
    """Medians, of the whole and of each part."""
    middle = {part: median(each[part] for each in parts) for part in parts[0]}
    return Figure(what, (case.policy, case.size.name), median(seconds), at_most, middle)
