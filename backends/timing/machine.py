"""What a library must be able to do to time a machine."""

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple, Protocol

CALLS = 7  # of which the median counts
WARM = 2  # before those, which compile
SECONDS = 0.02  # a call is repeated until it takes as long


class Experts(NamedTuple):
    """Experts of one GPU, each with as many tokens."""

    number: int
    tokens: int  # of each
    hidden: int
    intermediate: int


class Machine(Protocol):
    """Devices of one library."""

    name: str
    is_gpu: bool
    devices: int

    def product(self, experts: Experts) -> float:
        """Seconds of the matrix products of all experts: up and gate, then down."""

    def copy(self, size: int) -> float:
        """Seconds to copy so many bytes from one device to the next."""


def timed(call: Callable[[], object], finish: Callable[[], object]) -> float:
    """Seconds of a call, once the device is done: the median of some, in each as many calls as take a while."""
    for _ in range(WARM):
        call()
    finish()
    number = max(int(SECONDS / max(_seconds(call, finish, 1), 1e-7)), 1)
    return median(_seconds(call, finish, number) for _ in range(CALLS))


def _seconds(call: Callable[[], object], finish: Callable[[], object], number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        call()
    finish()
    return (time.perf_counter() - start) / number
