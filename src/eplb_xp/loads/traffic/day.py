"""A day of traffic, over and over."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eplb_xp.loads.traffic.step import Domains, Numbers, Step
from eplb_xp.sizes import check_integer, check_number

DAY = 24 * 60


@dataclass(frozen=True)
class Day:
    """Each domain has an hour in which it is busiest; shares of domains and tokens in all follow the hours.

    Between its busiest hour and twelve hours later a domain's tokens fall as a cosine does. The first step begins at
    midnight, and the preset's tokens are those of the busiest step. After no recording: the shape is assumed.

    Parameters
    ----------
    peaks : tuple of floats
        The hour in which each domain is busiest, from 0 to 24.
    sizes : tuple of floats
        Tokens of each domain in that hour; only their proportions count.
    low : float
        What is left twelve hours later, as a share of that.
    minutes : int
        How long a step is; a day must have a whole number of steps.

    Raises
    ------
    TypeError, ValueError
        Where a field has the wrong type or is out of its range.
    """

    peaks: tuple[float, ...]
    sizes: tuple[float, ...]
    low: float
    minutes: int = 5

    def __post_init__(self) -> None:
        for hour in self.peaks:
            check_number("peaks", hour, 0, 24)
        for size in self.sizes:
            check_number("sizes", size, 1e-6, 1e6)
        if len(self.peaks) != len(self.sizes):
            raise ValueError(f"sizes must be as many as peaks, got {len(self.sizes)} and {len(self.peaks)}")
        check_number("low", self.low, 0.001, 1)
        if DAY % check_integer("minutes", self.minutes):
            raise ValueError(f"minutes must divide the {DAY} of a day, such as 5, 10 or 15, got {self.minutes}")

    def check(self, domains: int) -> None:
        """Refuse a preset with more or fewer domains than have hours."""
        if len(self.peaks) != domains:
            raise ValueError(f"a day needs an hour for each domain, got {len(self.peaks)} peaks of {domains} domains")

    def round_steps(self) -> int:
        """Steps of a day."""
        return DAY // self.minutes

    def each(self, domains: Domains, _: np.random.Generator) -> Iterator[Step]:
        """Step after step."""
        weight = self._weights()
        total = weight.sum(axis=1)
        tokens = np.rint(domains.tokens * (total / total.max())).astype(np.int64).clip(1)
        while True:
            for its, number in zip(weight, tokens, strict=True):
                yield Step(domains.mixed(its), int(number))

    def _weights(self) -> Numbers:
        """Tokens of each domain in the middle of each step: [steps, domains]."""
        hours = [(step + 0.5) * self.minutes / 60 for step in range(self.round_steps())]
        return np.array(
            [
                [
                    size * (self.low + (1 - self.low) * (1 + math.cos((hour - peak) * math.pi / 12)) / 2)
                    for peak, size in zip(self.peaks, self.sizes, strict=True)
                ]
                for hour in hours
            ]
        )
