"""What is measured, in a process of its own because a process starts only once.

``python benchmarks/start/child.py under_jit loads.npy greedy 288 1 1 32`` prints seconds as JSON.
"""

# ruff: noqa: PLC0415 # an import is part of what is timed

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

Planner = Callable[[Any], Any]


class Parts:
    """Seconds of each part by the clock, and of CPU time, that of processes which it started included."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def timed(self, part: str, call: Callable[[], Any]) -> Any:
        """What the call returns."""
        wall, cpu = time.perf_counter(), _cpu_seconds()
        result = call()
        self.wall[part], self.cpu[part] = time.perf_counter() - wall, _cpu_seconds() - cpu
        return result


def by_numpy(parts: Parts, path: str, *plan: str) -> None:
    """Have loads, then import what plans and make the first plan."""
    import numpy as np

    loads = np.load(path)
    planner = parts.timed("import", lambda: _planner(*plan))
    parts.timed("run", lambda: planner(loads))


def by_torch(parts: Parts, path: str, *plan: str) -> None:
    """Have a tensor, then import what plans and make the first plan."""
    import numpy as np
    import torch

    loads = torch.asarray(np.load(path)) + 0
    planner = parts.timed("import", lambda: _planner(*plan))
    parts.timed("run", lambda: planner(loads))


def base(_: Parts, path: str) -> None:
    """Start JAX, and that is all."""
    _with_jax(path)


def under_jit(parts: Parts, path: str, *plan: str) -> None:
    """Start JAX, then make the first plan under jit."""
    loads = _with_jax(path)
    import jax

    traced = parts.timed("trace", lambda: jax.jit(_planner(*plan)).trace(loads))
    lowered = parts.timed("lower", traced.lower)
    compiled = parts.timed("compile", lowered.compile)
    parts.timed("run", lambda: jax.block_until_ready(compiled(loads)))


def concrete(parts: Parts, path: str, *plan: str) -> None:
    """Start JAX, then make the first plan of a concrete array, outside of jit."""
    loads = _with_jax(path)
    import jax

    parts.timed("run", lambda: jax.block_until_ready(_planner(*plan)(loads)))


def kernels(parts: Parts, path: str, *plan: str) -> None:
    """Start PyTorch on the GPU, then make the first plan there: Triton compiles its kernels."""
    import numpy as np
    import torch

    loads = torch.asarray(np.load(path), device="cuda") + 0

    def planned() -> None:
        _planner(*plan)(loads)
        torch.cuda.synchronize()

    parts.timed("run", planned)


def _with_jax(path: str) -> Any:
    """What every program with JAX does: import it, have loads, compile something."""
    import jax
    import numpy as np

    loads = jax.numpy.asarray(np.load(path))
    jax.jit(lambda x: x + 1)(loads).block_until_ready()
    return loads


def _planner(policy: str, *sizes: str) -> Planner:
    from eplb_xp import rebalance_experts

    replicas, groups, nodes, gpus = map(int, sizes)
    return partial(
        rebalance_experts, num_replicas=replicas, num_groups=groups, num_nodes=nodes, num_gpus=gpus, policy=policy
    )


def _cpu_seconds() -> float:
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + of_children.ru_utime + of_children.ru_stime


WHAT: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (by_numpy, by_torch, base, under_jit, concrete, kernels)
}

if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    found = Parts()
    WHAT[what](found, *arguments)
    print(json.dumps(vars(found)))
