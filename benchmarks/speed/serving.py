"""A thread that launches small operators, as serving does, beside a thread that plans without a pause."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import torch

from benchmarks.speed.figures import Figure
from benchmarks.speed.loads import LOGNORMAL, TIMED_SEED, Loads
from eplb_xp import rebalance_experts
from tests.support.native import natively

SIZES = (288, 1, 1, 32)
WINDOW, WINDOWS = 0.3, 15  # seconds, and how many of each kind, in turn
REACH = 0.9


def figures() -> Iterator[Figure]:
    """The part of its rate that the thread keeps."""
    alone, beside = [], []
    with natively():
        for _ in range(WINDOWS):
            alone.append(_rate())
            with _planning():
                beside.append(_rate())
    kept = median(beside) / median(alone)
    yield Figure("operators beside a plan / alone", "joint, 288 / 32", kept, "", REACH, grows=True)


def _rate() -> float:
    """Operators a second."""
    x, one = torch.zeros(16), torch.ones(16)
    number, begin = 0, time.perf_counter()
    while (taken := time.perf_counter() - begin) < WINDOW:
        x.add_(one)
        number += 1
    return number / taken


@contextmanager
def _planning() -> Iterator[None]:
    """Another thread plans, until this ends."""
    load, ends = Loads(LOGNORMAL, TIMED_SEED).array(), threading.Event()

    def plan_on() -> None:
        while not ends.is_set():
            rebalance_experts(load, *SIZES, policy="joint")

    thread = threading.Thread(target=plan_on)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
