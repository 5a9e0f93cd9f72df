"""The libraries besides NumPy, and what must be set before they start."""

import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any
from unittest import mock

# JAX would take most of a GPU's memory, and torch shares it.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# For shard_map. As a setting it could not be repeated, and doctest imports this module once more.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "4")
# torch's threads sleep until there is more to do: else they keep the processors busy that other tests run on.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import array_api_strict as strict
import jax
import jax.numpy as jnp
import numpy as np
import torch

from eplb_xp.backends.takeover import SWITCH
from tests.support.library import DTYPES, Library, NumPyArray
from tests.support.plain_programs import plain_code_generator, plain_programs
from tests.support.strict_checks import use_faster_checks

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Programs don't say of each step which lines it comes from: a tenth of the time, and nobody reads it.
jax.config.update("jax_traceback_in_locations_limit", 0)

strict.set_array_api_strict_flags(boolean_indexing=False, data_dependent_shapes=False)
use_faster_checks()


class Strict(Library):
    """array-api-strict, which has nothing that the standard doesn't have, on its CPU or an invented device."""

    array = type(strict.asarray(0))
    index = strict.int64
    float32 = strict.float32
    boolean = strict.bool
    dtypes = tuple(name for name in DTYPES if name not in ("float16", "bfloat16"))

    def __init__(self, name: str, device: str) -> None:
        super().__init__(name)
        self.on = strict.Device(device)
        self.reads_values = device == "CPU_DEVICE"

    def asarray(self, x: NumPyArray) -> Any:
        return strict.asarray(x, copy=True, device=self.on)

    def values(self, x: Any) -> NumPyArray:
        return np.asarray(x.to_device(strict.Device("CPU_DEVICE")))

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        # It computes with NumPy, which would warn where a GPU's load is above the largest float32.
        with np.errstate(over="ignore"):
            return function(*arrays, **static)


class Torch(Library):
    array = torch.Tensor
    index = torch.int64
    float32 = torch.float32
    boolean = torch.bool

    def __init__(self, name: str, device: str) -> None:
        super().__init__(name)
        self.on = device
        self.reads_values = device == "cpu"

    def asarray(self, x: NumPyArray) -> torch.Tensor:
        if x.dtype.name == "bfloat16":
            return torch.asarray(x.astype(np.float32), device=self.on).to(torch.bfloat16)
        return torch.asarray(x, device=self.on, copy=True)

    def values(self, x: torch.Tensor) -> NumPyArray:
        return (x.float() if x.dtype == torch.bfloat16 else x).numpy(force=True)


class TorchAlone(Torch):
    """torch's own operations, where NumPy or the kernels for GPUs would plan otherwise."""

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        with mock.patch.dict(os.environ, {SWITCH: "0"}):
            return super().call(function, *arrays, **static)


class Jax(Library):
    """JAX on its default device: concrete arrays, for which NumPy plans in host memory."""

    array = jax.Array
    index = np.dtype(np.int32)
    dtypes = tuple(name for name in DTYPES if name not in ("int64", "float64"))

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.reads_values = jax.default_backend() == "cpu"

    def asarray(self, x: NumPyArray) -> jax.Array:
        return jnp.asarray(x)

    def device(self, x: jax.Array) -> Any:
        return x.devices()

    def write_to(self, y: jax.Array) -> None:
        """Nothing: nobody can."""

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        with plain_programs():  # of steps that NumPy doesn't make
            return function(*arrays, **static)


class Jit(Jax):
    """Inside jax.jit."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.reads_values = False

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        return _compiled(function, False, **static)(*arrays)


class Vmap(Jit):
    """Inside jax.vmap, over the loads and the loads with their layers turned round."""

    def asarray(self, x: NumPyArray) -> jax.Array:
        return jnp.asarray(np.stack([x, np.flip(x, 0)]))

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        return _compiled(function, True, **static)(*arrays)

    def checked(self, y: Any, device: Any) -> NumPyArray:
        one, other = super().checked(y, device)
        np.testing.assert_allclose(np.flip(other, 0), one, rtol=1e-6 if one.dtype == np.float32 else 0)
        return one


@lru_cache(maxsize=None, typed=True)
def _compiled(function: Callable[..., Any], batched: bool, **static: Any) -> Callable[..., Any]:
    """One function object for each function and sizes, because JAX caches compilations by it."""
    with_sizes = partial(function, **static)
    return jax.jit(jax.vmap(with_sizes) if batched else with_sizes, compiler_options=plain_code_generator())


OTHERS: list[Library] = [
    Strict("strict", "CPU_DEVICE"),
    Strict("strict-device", "device1"),
    Torch("torch", "cpu"),
    TorchAlone("torch-alone", "cpu"),
    TorchAlone("torch-cuda", "cuda"),
    Jax("jax"),
    Jit("jax-jit"),
    Vmap("jax-vmap"),
]
