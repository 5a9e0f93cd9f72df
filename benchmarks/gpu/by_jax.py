"""Plans by JAX on the GPU, many in one compiled program."""

import functools
import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

# JAX must not take the memory that torch needs.
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.gpu.cases import Case
from benchmarks.gpu.checking import WrongPlanError
from benchmarks.gpu.found import Times, times
from benchmarks.gpu.loads import SETS, TURNS, NumPyArray
from benchmarks.shared.timing import seconds
from eplb_xp import rebalance_experts

PLATFORM = "cuda"
FIRST_CALLS = 3  # not timed
KERNEL = "triton"  # so it stands in a program that calls one

_BESIDE = ThreadPoolExecutor(1)


class NoKernelsError(Exception):
    """A program that plans without the kernels."""


def program(case: Case, loads: tuple[jax.Array, ...]) -> jax.Array:
    """The slots of all loads, one plan after the other: [loads, layers, replicas].

    One after the other in the program: `lax.map` adds three or four copies to each plan. In one array, because
    the host takes some 5 us to hand out another.
    """
    return jnp.stack([rebalance_experts(load, **case.arguments).phy2log for load in loads])


def compile_ahead(cases: Iterable[Case]) -> list[Future[jax.stages.Compiled]]:
    """The programs of these cases, compiled one after the other beside whatever is done meanwhile."""
    return [_compiling(case) for case in cases]


@functools.cache
def _compiling(case: Case) -> Future[jax.stages.Compiled]:
    return _BESIDE.submit(_compile, case)


def _compile(case: Case) -> jax.stages.Compiled:
    load = np.zeros((case.layers, case.experts), np.float32)
    loads = (jax.device_put(load, jax.devices(PLATFORM)[0]),) * (TURNS * SETS)
    lowered = jax.jit(program, static_argnums=0).lower(case, loads)
    if KERNEL not in lowered.as_text():
        raise NoKernelsError("the program has no kernels; the logger eplb_xp says why at level DEBUG")
    return lowered.compile()


def measure(case: Case, sets: NumPyArray, rounds: int) -> tuple[Times, NumPyArray]:
    """The time of a plan, the program's divided by the number of plans; and the slots of all sets."""
    loads = tuple(jax.device_put(load, jax.devices(PLATFORM)[0]) for load in sets) * TURNS
    compiled = _compiling(case).result()
    spent = [1e6 * seconds(lambda: compiled(loads)) / len(loads) for _ in range(FIRST_CALLS + rounds)]
    slots = np.asarray(compiled(loads)).reshape(TURNS, len(sets), case.layers, -1)
    if (slots != slots[0]).any():
        raise WrongPlanError(f"{case}: a plan inside jax.jit is not what it was for the same loads before")
    return times(spent[FIRST_CALLS:]), slots[0]
