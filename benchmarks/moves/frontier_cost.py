"""What all numbers of moves at once cost under jit on a CPU: beside one plan for the most of them, in one run."""

import time
from functools import partial
from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.moves.cases import SMALL
from benchmarks.moves.planning import compiled, plan
from benchmarks.quality.sizes import Size
from benchmarks.shared.memory import xla_peak
from benchmarks.shared.timing import cpu_seconds, finished
from eplb_xp import frontier, rebalance_experts

CALLS = 5
SIZES = (Size(288, 32), Size(320, 64))
MOVED = 0.15


class Cost(NamedTuple):
    """Seconds of process time, medians; of compiling, the once that it takes; and bytes."""

    size: Size
    all_plans: float
    plan: float
    compile_all: float
    compile_plan: float
    result: int  # of all plans
    beyond_result: int
    plan_peak: int

    @property
    def ratio(self) -> float:
        """Of all plans to one."""
        return self.all_plans / self.plan


def cost(size: Size) -> Cost:
    """Time both in turn."""
    before, load = SMALL(0)
    used, now = jnp.asarray(plan(before, size).phy2log), jnp.asarray(load.astype(np.float32))
    jax.clear_caches()  # else a program of a case of that size is not compiled again
    options = (("max_moves", int(MOVED * size.replicas)),)
    programs, compiling = [], []
    for what in (frontier, rebalance_experts):
        start = time.process_time()
        programs.append(compiled(size, options, what).lower(now, previous=used).compile())
        compiling.append(time.process_time() - start)
    every, one = programs
    finished(lambda: (every(now, previous=used), one(now, previous=used)))
    pairs = [[cpu_seconds(partial(program, now, previous=used)) for program in programs] for _ in range(CALLS)]
    took = [median(each) for each in zip(*pairs, strict=True)]
    result = every.memory_analysis().output_size_in_bytes
    return Cost(size, took[0], took[1], compiling[0], compiling[1], result, xla_peak(every) - result, xla_peak(one))
