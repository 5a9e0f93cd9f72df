"""How everything is timed: the clock stops when the result is there."""

import time
from collections.abc import Callable
from typing import Any

import jax
import torch


def finished(call: Callable[[], Any]) -> Any:
    """What the call returns, once the device has computed it: the one place that waits for a device."""
    result = call()
    jax.block_until_ready(result)  # looks at JAX arrays only
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return result


def seconds(call: Callable[[], Any]) -> float:
    """How long the call takes."""
    start = time.perf_counter()
    finished(call)
    return time.perf_counter() - start


def cpu_seconds(call: Callable[[], Any]) -> float:
    """How much time of processors the call takes: what a busy machine changes least."""
    start = time.process_time()
    finished(call)
    return time.process_time() - start
