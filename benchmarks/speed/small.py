"""What a call costs where there is little to plan: one layer from Python, and a tiny plan inside of a program."""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.shared.timing import finished, seconds
from benchmarks.speed.figures import Figure
from benchmarks.speed.loads import LOGNORMAL, TIMED_SEED, Loads
from eplb_xp import rebalance_experts
from tests.support.native import natively

SIZES, TINY = (288, 1, 1, 32), (12, 1, 1, 4)
CALLS, PLANS = 2000, 1000
ONE_LAYER = {"greedy": 40.0, "joint": 150.0}
IN_A_PROGRAM = 10.0


def figures() -> Iterator[Figure]:
    """Microseconds."""
    layer = Loads(LOGNORMAL, TIMED_SEED).array()[:1]
    with natively():
        for policy, reach in ONE_LAYER.items():
            call = partial(rebalance_experts, layer, *SIZES, policy=policy)
            finished(call)
            taken = median(_at_once(call) for _ in range(CALLS))
            yield Figure("one layer from NumPy", f"{policy}, 288 / 32", 1e6 * taken, "us", reach)
        call = partial(_program(), jnp.asarray(layer[:, :8]))
        finished(call)
        taken = median(seconds(call) for _ in range(20)) / PLANS
        yield Figure("a plan inside of a program", "greedy, 12 / 4", 1e6 * taken, "us", IN_A_PROGRAM)


def _at_once(call: Callable[[], object]) -> float:
    """Seconds of a call whose result is there when it returns: to look for one to wait for takes a quarter of this."""
    start = perf_counter()
    call()
    return perf_counter() - start


def _program() -> Any:
    """So many plans, one after the other."""

    def one(load: Any, _: None) -> tuple[Any, None]:
        plan = rebalance_experts(load, *TINY, policy="greedy")
        return load + plan.logcnt.astype(load.dtype), None

    return jax.jit(lambda load: jax.lax.scan(one, load, None, length=PLANS)[0])
