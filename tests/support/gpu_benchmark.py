"""The benchmark of plans on a GPU without one: plans in host memory, times that are made up, and what it prints."""

from typing import Any

import numpy as np
import pytest

from benchmarks.gpu import __main__ as program
from benchmarks.gpu.cases import ALONE, BOTH_ROUTES, Case, Work
from benchmarks.gpu.found import Times
from benchmarks.gpu.loads import SETS
from eplb_xp import Plan, rebalance_experts
from tests.support.libraries import NumPyArray

SMALL = Case("swap", layers=3, experts=8, replicas=12, gpus=4)
GPU = "NVIDIA H200 $1"  # dollars would be mathematics in a picture
MACHINE = {"gpu": GPU, "driver": None, "cuda": "12.8", "python": "3.11", "versions": {"torch": "2.13.0", "jax": None}}

# Microseconds of plans in a graph; 50 of all others.
MADE_UP: dict[Work, float] = {
    BOTH_ROUTES[0]: 9.0,  # greedy, hierarchical: 10 is aimed at
    BOTH_ROUTES[1]: 30.0,  # greedy, global: 30 must be reached
    BOTH_ROUTES[2]: 45.1,  # swap, hierarchical: 45 must be reached
    ALONE: 70.0,  # more than must be reached, and than UltraEP publishes at best
}


def on_host(case: Case, load: NumPyArray) -> Plan[NumPyArray]:
    return rebalance_experts(load, **case.arguments)


def broken(name: str, layer: int, case: Case, load: NumPyArray) -> Plan[NumPyArray]:
    made = on_host(case, load)
    getattr(made, name)[layer, -1] += 1
    return made


def made_up(beyond: float, factor: float, case: Work, sets: NumPyArray, rounds: int) -> Times:
    """Times as they come, of loads that fit."""
    if isinstance(case, Case):
        assert sets.shape == (SETS, case.layers, case.experts)
        assert sets.dtype == np.float32
    median = factor * MADE_UP.get(case, 50.0) + beyond
    return Times(median, median - 1, median + 1, rounds, None if isinstance(case, Case) else median + 3)


def run(*arguments: str) -> Any:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        program.run([*arguments])
    return ended.value.code


def lines_of(printed: str, case: Work) -> list[list[str]]:
    """The cells after the case's name, wherever it is."""
    return [line.removeprefix(str(case)).split() for line in printed.splitlines() if line.startswith(f"{case} ")]
