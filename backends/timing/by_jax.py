"""JAX's devices, timed."""

from typing import Any

import jax
import jax.numpy as jnp

from eplb_xp.backends.timing.machine import Experts, timed


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

        results: list[Any] = [None]

        def call() -> None:
            results[0] = both(*given)

        return timed(call, lambda: jax.block_until_ready(results))

    def copy(self, size: int) -> float:
        first, second = jax.devices()[:2]
        source = jax.device_put(jnp.zeros(size, jnp.uint8), first)
        results: list[Any] = [None]

        def call() -> None:
            results[0] = jax.device_put(source, second)

        return timed(call, lambda: jax.block_until_ready(results))
