"""Prefill batches, whose domains come and go."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eplb_xp.loads.traffic.step import Domains, Step
from eplb_xp.sizes import check_integer

VISITS = 64  # of a round


@dataclass(frozen=True)
class Visits:
    """Batches of one domain or a few, each of which stays for some batches; then another one takes its place.

    How long a domain stays is geometric, and the next one is any that isn't there, so nobody can know it beforehand.
    All that are there have the same part of a batch.

    Parameters
    ----------
    steps : int
        How long a domain stays, in the mean.
    at_once : int
        Domains of a batch, fewer than the preset has.

    Raises
    ------
    TypeError, ValueError
        Where either is no whole number from 1.
    """

    steps: int
    at_once: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "at_once"):
            check_integer(name, getattr(self, name))

    def check(self, domains: int) -> None:
        """Refuse a preset without domains to change to."""
        if self.at_once >= domains:
            raise ValueError(f"visits need more domains than are there at once, got {domains} with {self.at_once}")

    def round_steps(self) -> int:
        """Steps that have enough visits to be like any others."""
        return -(-VISITS * self.steps // self.at_once)

    def each(self, domains: Domains, random: np.random.Generator) -> Iterator[Step]:
        """Step after step."""
        number = len(domains.share)
        there = [*range(self.at_once)]
        while True:
            weight = np.zeros(number)
            weight[there] = 1
            yield Step(domains.mixed(weight), domains.tokens)
            for place in np.flatnonzero(random.random(self.at_once) * self.steps < 1):
                others = [domain for domain in range(number) if domain not in there]
                there[place] = others[random.integers(len(others))]
