"""What few moves cost the once-written code under jit on a CPU: beside a plan of policy joint, in one run."""

import os
import time
from statistics import median
from typing import NamedTuple
from unittest import mock

import jax.numpy as jnp
import numpy as np

from benchmarks.moves.cases import SMALL
from benchmarks.moves.planning import program
from benchmarks.quality.sizes import Size
from benchmarks.shared.memory import xla_peak
from benchmarks.shared.timing import cpu_seconds, finished
from eplb_xp import rebalance_experts
from eplb_xp.backends.takeover import OFF, SWITCH

CALLS = 7
SIZES = (Size(288, 32), Size(320, 64), Size(384, 128))
MOVED = 0.1
WANTED = (12.0, 5.0)  # times joint, at the first size; and at best


class Cost(NamedTuple):
    """Seconds of process time, medians; of compiling, the once that it takes."""

    size: Size
    follow: float
    joint: float
    compile_follow: float
    compile_joint: float
    beyond_plan: int  # bytes

    @property
    def ratio(self) -> float:
        """Of the plan with few moves to joint's."""
        return self.follow / self.joint


@mock.patch.dict(os.environ, {SWITCH: OFF})
def cost(size: Size) -> Cost:
    """Time both in turn."""
    before, now = (jnp.asarray(load.astype(np.float32)) for load in SMALL(0))
    start = time.process_time()
    joint = program(rebalance_experts, size).lower(now).compile()
    middle = time.process_time()
    used = joint(before).phy2log
    again = time.process_time()
    few = program(rebalance_experts, size, max_moves=int(MOVED * size.replicas))
    follow = few.lower(now, previous=used).compile()
    compiling = time.process_time() - again, middle - start
    finished(lambda: (follow(now, previous=used), joint(now)))
    pairs = [(cpu_seconds(lambda: follow(now, previous=used)), cpu_seconds(lambda: joint(now))) for _ in range(CALLS)]
    took, joint_took = (median(each) for each in zip(*pairs, strict=True))
    plan_bytes = follow.memory_analysis().output_size_in_bytes
    return Cost(size, took, joint_took, *compiling, xla_peak(follow) - plan_bytes)
