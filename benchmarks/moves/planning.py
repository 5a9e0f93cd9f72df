"""Plans by JAX, each program compiled once: a plan with few moves takes NumPy several times as long."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.quality.sizes import Size
from eplb_xp import Frontier, Plan, frontier, rebalance_experts
from tests.support.libraries import NumPyArray


def plan(load: NumPyArray, size: Size, *, previous: Any = None, **options: Any) -> Plan[NumPyArray]:
    """A plan for loads [layers, experts] or [samples, layers, experts]; the options are static."""
    weight = jnp.asarray(load.astype(np.float32))
    program = compiled(size, tuple(sorted(options.items())))
    made = program(weight) if previous is None else program(weight, previous=jnp.asarray(previous.phy2log))
    return Plan(*(np.asarray(each).astype(np.int64) for each in made))


def all_plans(load: NumPyArray, size: Size, previous: Plan[NumPyArray], **options: Any) -> Frontier[NumPyArray]:
    """Those for each number of moves."""
    program = compiled(size, tuple(sorted(options.items())), frontier)
    made = program(jnp.asarray(load.astype(np.float32)), previous=jnp.asarray(previous.phy2log))
    return Frontier(*(np.asarray(each) for each in made))


@functools.cache
def compiled(size: Size, options: tuple[tuple[str, Any], ...], what: Callable[..., Any] = rebalance_experts) -> Any:
    """The program for a size, its options static."""
    sizes: dict[str, Any] = {
        "num_replicas": size.replicas,
        "num_groups": size.groups,
        "num_nodes": size.nodes,
        "num_gpus": size.gpus,
    }
    return jax.jit(functools.partial(what, **sizes, **dict(options)))
