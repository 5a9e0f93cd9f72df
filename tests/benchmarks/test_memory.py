"""Memory: the benchmarks count it right, and plans need little beyond their maps."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from benchmarks.shared import memory
from eplb_xp import rebalance_experts
from tests.support.libraries import NumPyArray
from tests.support.loads import batch

MEBI = 2**20
LAYERS = 8


def test_peaks_are_those_of_known_allocations() -> None:
    """The input, 1 MiB, is not counted; then there are 1, 1 + 1, 1 + 2 with the first one gone."""

    def work(xp: Any, x: Any) -> Any:
        y = x + 1
        z = y * 2
        del y
        return xp.concatenate([z, z])

    def sorted_twice(x: Any) -> Any:
        y = jnp.sort(x)
        return jnp.concatenate([y, y])

    x = np.ones(MEBI // 4, np.float32)
    assert memory.numpy_peak(lambda: work(np, x)) == pytest.approx(3 * MEBI, rel=0.01)
    tensor = torch.asarray(x)
    assert memory.torch_peak(lambda: work(torch, tensor)) == pytest.approx(3 * MEBI, rel=0.01)
    assert memory.torch_peak(lambda: torch.from_numpy(x + 1)) == pytest.approx(MEBI, rel=0.01)
    # XLA makes a single pass of that, with nothing but its result; what is sorted must be somewhere.
    for function, peak in ((lambda x: work(jnp, x), 2), (sorted_twice, 3)):
        compiled = jax.jit(function).lower(jnp.asarray(x)).compile()
        assert memory.xla_peak(compiled) == pytest.approx(peak * MEBI, rel=0.01)


def peak_under_jit(function: Callable[[Any], Any], load: NumPyArray) -> int:
    return memory.xla_peak(jax.jit(function).lower(jnp.asarray(load)).compile())


def peak_in_numpy(function: Callable[[Any], Any], load: NumPyArray) -> int:
    return memory.numpy_peak(partial(function, load))


@pytest.mark.parametrize("policy", ["greedy", "swap"])
@pytest.mark.parametrize("peak", [peak_in_numpy, peak_under_jit])
def test_nothing_but_the_plan_grows_with_experts_times_replicas(peak: Callable[..., int], policy: str) -> None:
    """Four times the experts, as many spares: a table of experts x replicas would be four times the bytes a slot."""
    per_slot = []
    for experts in (256, 1024):
        replicas = experts + 32
        sizes: dict[str, Any] = {"num_replicas": replicas, "num_groups": 1, "num_nodes": 1, "num_gpus": 32}
        function: Callable[[Any], Any] = partial(rebalance_experts, **sizes, policy=policy)
        load = batch("lognormal", 0, LAYERS, experts)
        plan = sum(array.nbytes for array in function(load)) // (2 if peak is peak_under_jit else 1)  # int32
        per_slot.append((peak(function, load) - plan) / (LAYERS * replicas))
    assert per_slot[1] < 1.5 * per_slot[0]
