"""Decode, a token of each request in flight."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from eplb_xp.loads.traffic.step import Domains, Numbers, Step
from eplb_xp.sizes import check_integer, check_number


@dataclass(frozen=True)
class Requests:
    """A step has a token of each request in flight; one that ends makes room for the next.

    A request has experts of its own, top_k of each layer, drawn when it comes; in a step each of them is chosen again
    or gives way to one that is drawn anew. It is of the domain whose turn it is when it comes, so that a domain fades
    out as its requests end. In the first step there are requests that have been under way for some time.

    Parameters
    ----------
    steps : int
        How long a request lives, in the mean: the tokens of an answer.
    spread : float
        Lengths are lognormal: the standard deviation of their logarithm.
    own : float
        How likely each of a request's own experts is chosen in a step.

    Raises
    ------
    TypeError, ValueError
        Where one is no number, or out of its range.
    """

    steps: int
    spread: float
    own: float

    def __post_init__(self) -> None:
        check_integer("steps", self.steps)
        check_number("spread", self.spread, 0, 3)
        check_number("own", self.own, 0, 1)

    def check(self, domains: int) -> None:
        """Any number of domains will do."""

    def round_steps(self) -> int:
        """Steps in which as many requests come as are in flight."""
        return self.steps

    def each(self, domains: Domains, random: np.random.Generator) -> Iterator[Step]:
        """Step after step."""
        number = domains.tokens
        whole = self._lengths(number, random, self.spread**2)  # who is met in flight is long
        left = np.ceil(whole * random.random(number)).astype(np.int64).clip(1)
        domain = _turn(left - whole, domains)
        own = _drawn(domains, domain, random)
        load = _counted(own, domains)
        step = 0
        while True:
            weight = np.bincount(domain, minlength=len(domains.share)).astype(np.float64)
            yield Step(domains.mixed(weight), number, random.binomial(load, self.own))
            step += 1
            left -= 1
            ended = np.flatnonzero(left == 0)
            left[ended] = self._lengths(len(ended), random)
            domain[ended] = _turn(step, domains)
            drawn = _drawn(domains, domain[ended], random)
            load += _counted(drawn, domains) - _counted(own[ended], domains)
            own[ended] = drawn

    def _lengths(self, number: int, random: np.random.Generator, longer: float = 0.0) -> Numbers:
        """Steps of so many requests, their logarithm by so much larger."""
        log = math.log(self.steps) - self.spread**2 / 2 + longer + self.spread * random.normal(size=number)
        return np.rint(np.exp(np.minimum(log, 40))).astype(np.int64).clip(1)


def _turn(step: Any, domains: Domains) -> Any:
    """The domain whose turn it is, or was."""
    return step // domains.turn % len(domains.share)


def _counted(own: Numbers, domains: Domains) -> Numbers:
    """How many requests have each expert as their own: [layers, experts]."""
    _, layers, experts = domains.share.shape
    return np.bincount(own.ravel(), minlength=layers * experts).reshape(layers, experts)


def _drawn(domains: Domains, domain: Numbers, random: np.random.Generator) -> Numbers:
    """Experts of requests of these domains, numbered through the layers: [requests, layers, top_k]."""
    _, layers, experts = domains.share.shape
    own = np.empty((len(domain), layers, domains.top_k), np.int32)
    first = np.arange(layers)[:, None]
    for each in np.unique(domain):
        its = np.flatnonzero(domain == each)
        upto = np.cumsum(domains.share[each], axis=-1)
        ends = (first + upto / upto[:, -1:]).ravel()
        place = random.random((len(its), layers, domains.top_k)) + first
        own[its] = np.minimum(np.searchsorted(ends, place, side="right"), (first + 1) * experts - 1)
    return own
