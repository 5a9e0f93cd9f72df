"""Two threads over the layers of a plan, against one: a ratio of times, on two cores that are idle."""

import os
from collections.abc import Iterator
from functools import partial
from statistics import median

from benchmarks.shared.timing import finished, seconds
from benchmarks.speed.figures import Figure
from benchmarks.speed.loads import LOGNORMAL, TIMED_SEED, Loads
from eplb_xp import rebalance_experts
from eplb_xp.backends.launching.from_numpy import THREADS
from tests.support.native import natively

SIZES = {"288 / 32": (288, 1, 1, 32), "384 / 128": (384, 1, 1, 128)}
ROUNDS = 25
REACH, AIM = 0.65, 0.55


def figures() -> Iterator[Figure]:
    """Joint, in turn with one thread and with two."""
    if len(os.sched_getaffinity(0)) < 2:
        return
    load = Loads(LOGNORMAL, TIMED_SEED).array()
    before = os.environ.get(THREADS)
    with natively():
        for name, sizes in SIZES.items():
            call = partial(rebalance_experts, load, *sizes, policy="joint")
            times: dict[str, list[float]] = {"1": [], "2": []}
            for _ in range(ROUNDS):
                for number, taken in times.items():
                    os.environ[THREADS] = number
                    finished(call)
                    taken.append(seconds(call))
            ratio = median(times["2"]) / median(times["1"])
            yield Figure("two threads / one", f"joint, {name}", ratio, "", REACH, AIM)
    if before is None:
        del os.environ[THREADS]
    else:
        os.environ[THREADS] = before
