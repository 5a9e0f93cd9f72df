"""JAX's devices, timed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.backends.timing.machine import Experts, timed


def seconds(call: Callable[[], Any]) -> float:
    """Seconds of a call, once its results are there."""
    results: list[Any] = [None]

    def once() -> None:
        results[0] = call()

    return timed(once, lambda: jax.block_until_ready(results))


class JaxMachine:
    """The devices that JAX works on."""

    def __init__(self) -> None:
        found = jax.devices()
        self.is_gpu = found[0].platform != "cpu"
        self.devices = len(found) if self.is_gpu else 1
        self.name = str(found[0].device_kind)
        self._dtype = jnp.bfloat16 if self.is_gpu else jnp.float32

    def product(self, experts: Experts) -> float:
        number, tokens, hidden, intermediate = experts
        keys = jax.random.split(jax.random.key(0), 3)
        shapes = (number, tokens, hidden), (number, hidden, 2 * intermediate), (number, intermediate, hidden)
        given = [jax.random.normal(key, shape, self._dtype) for key, shape in zip(keys, shapes, strict=True)]

        @jax.jit
        def both(x: Any, up: Any, down: Any) -> Any:
            return jnp.matmul(jnp.matmul(x, up)[:, :, :intermediate], down)

        return seconds(lambda: both(*given))

    def copy(self, size: int) -> float:
        first, second = jax.devices()[:2]
        source = jax.device_put(jnp.zeros(size, jnp.uint8), first)
        return seconds(lambda: jax.device_put(source, second))
