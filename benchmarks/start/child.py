"""What is measured, in a process of its own because a process starts only once.

``python benchmarks/start/child.py first loads.npy greedy global`` prints seconds as JSON.
"""

# ruff: noqa: PLC0415 # an import is part of what is timed

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

ROUTES = {"global": (288, 1, 1, 32), "hierarchical": (288, 8, 4, 32)}  # replicas, groups, nodes, GPUs


def start(path: str) -> Any:
    """What every program with JAX does: import it, have loads, compile something."""
    import jax
    import numpy as np

    loads = jax.numpy.asarray(np.load(path))
    jax.jit(lambda x: x + 1)(loads).block_until_ready()
    return loads


def base(path: str) -> None:
    """Start, and that is all."""
    start(path)


def first(path: str, policy: str, route: str) -> dict[str, float]:
    """Start, then make the first plan under jit: seconds of its parts."""
    loads = start(path)
    import jax

    parts = {}

    def timed(part: str, call: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        result = jax.block_until_ready(call())
        parts[part] = time.perf_counter() - begin
        return result

    traced = timed("trace", lambda: jax.jit(_planner(ROUTES[route], policy)).trace(loads))
    lowered = timed("lower", traced.lower)
    compiled = timed("compile", lowered.compile)
    timed("run", lambda: compiled(loads))
    return parts


def concrete(path: str, policy: str, route: str) -> dict[str, float]:
    """Start, then make the first plan of a concrete array, outside of jit: seconds."""
    loads = start(path)
    import jax

    begin = time.perf_counter()
    jax.block_until_ready(_planner(ROUTES[route], policy)(loads))
    return {"run": time.perf_counter() - begin}


def _planner(sizes: tuple[int, ...], policy: str) -> Callable[[Any], Any]:
    from eplb_xp import rebalance_experts

    replicas, groups, nodes, gpus = sizes
    return partial(
        rebalance_experts, num_replicas=replicas, num_groups=groups, num_nodes=nodes, num_gpus=gpus, policy=policy
    )


WHAT: dict[str, Callable[..., Any]] = {"base": base, "first": first, "concrete": concrete}

if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    print(json.dumps(WHAT[what](*arguments)))
