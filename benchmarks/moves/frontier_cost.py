"""What all numbers of moves at once cost the once-written code under jit: beside one plan for the most of them."""

import os
import time
from functools import partial
from statistics import median
from typing import NamedTuple
from unittest import mock

import jax.numpy as jnp
import numpy as np

from benchmarks.moves.cases import SMALL
from benchmarks.moves.planning import plan, program
from benchmarks.quality.sizes import Size
from benchmarks.shared.memory import xla_peak
from benchmarks.shared.timing import cpu_seconds, finished
from eplb_xp import frontier, rebalance_experts
from eplb_xp.backends.takeover import OFF, SWITCH

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


@mock.patch.dict(os.environ, {SWITCH: OFF})
def cost(size: Size) -> Cost:
    """Time both in turn."""
    before, load = SMALL(0)
    used, now = jnp.asarray(plan(before, size).phy2log), jnp.asarray(load.astype(np.float32))
    programs, compiling = [], []
    for what in (frontier, rebalance_experts):
        start = time.process_time()
        jitted = program(what, size, max_moves=int(MOVED * size.replicas))
        programs.append(jitted.lower(now, previous=used).compile())
        compiling.append(time.process_time() - start)
    every, one = programs
    finished(lambda: (every(now, previous=used), one(now, previous=used)))
    pairs = [[cpu_seconds(partial(each, now, previous=used)) for each in programs] for _ in range(CALLS)]
    took = [median(each) for each in zip(*pairs, strict=True)]
    result = every.memory_analysis().output_size_in_bytes
    return Cost(size, took[0], took[1], compiling[0], compiling[1], result, xla_peak(every) - result, xla_peak(one))
