"""Plans for loads and sizes by NumPy, quick where native code is; and what JAX compiles, where that is timed."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from benchmarks.quality.sizes import Size
from eplb_xp import Frontier, Plan, frontier, rebalance_experts
from tests.support.libraries import NumPyArray


def plan(load: NumPyArray, size: Size, *, previous: Plan[NumPyArray] | None = None, **options: Any) -> Plan[NumPyArray]:
    """A plan for loads [layers, experts] or [samples, layers, experts]."""
    old = None if previous is None else previous.phy2log
    return rebalance_experts(load.astype(np.float32), **_of(size), previous=old, **options)


def all_plans(load: NumPyArray, size: Size, previous: Plan[NumPyArray], **options: Any) -> Frontier[NumPyArray]:
    """Those for each number of moves."""
    return frontier(load.astype(np.float32), **_of(size), previous=previous.phy2log, **options)


def program(what: Callable[..., Any], size: Size, **options: Any) -> Any:
    """What JAX compiles for a size, its options static."""
    return jax.jit(functools.partial(what, **_of(size), **options))


def _of(size: Size) -> dict[str, Any]:
    return {
        "num_replicas": size.replicas,
        "num_groups": size.groups,
        "num_nodes": size.nodes,
        "num_gpus": size.gpus,
    }
