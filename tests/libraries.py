"""The libraries that every test runs on, behind one call: NumPy arrays in, NumPy arrays out.

On the way out a result must be of the library, the dtype and the device that it should be, its
entries must be its own, and the input must be unchanged. ``conftest.py`` fails a test that was
given a library and did not run on it.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

import array_api_strict as strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

NumPyArray = np.ndarray[Any, Any]

DTYPES = ("int32", "int64", "uint8", "uint16", "float16", "bfloat16", "float32", "float64")

strict.set_array_api_strict_flags(boolean_indexing=False, data_dependent_shapes=False)


class Library:
    """NumPy, and what the others have in common."""

    array: Any = np.ndarray
    index: Any = np.dtype(np.int64)
    float32: Any = np.dtype(np.float32)
    dtypes: tuple[str, ...] = DTYPES
    reads_values = True  # they lie in host memory, so the planner looks at them

    def __init__(self, name: str) -> None:
        self.name = name
        self.runs = 0

    def asarray(self, x: NumPyArray) -> Any:
        return x.copy()

    def device(self, x: Any) -> Any:
        return x.device

    def values(self, x: Any) -> NumPyArray:
        return np.asarray(x)

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        return function(*arrays, **static)

    def run(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        """The function's result for these arrays, if it has one: indices as int64, floats as float32."""
        self.runs += 1
        given = each(self.asarray, arrays)
        before = [self.values(x).tobytes() for x in leaves(given)]
        try:
            result = self.call(function, *given, **static)
        finally:
            assert [self.values(x).tobytes() for x in leaves(given)] == before, "the input was changed"
        device = self.device(leaves(given)[0])
        return None if result is None else each(lambda y: self.checked(y, device), result)

    def checked(self, y: Any, device: Any) -> NumPyArray:
        assert isinstance(y, self.array), type(y)
        assert y.dtype in (self.index, self.float32), y.dtype
        assert self.device(y) == device, self.device(y)
        y += 0  # fails where y can't be written to, or where its entries share memory
        return self.values(y).astype(np.int64 if y.dtype == self.index else np.float32)


class ReadOnly(Library):
    def asarray(self, x: NumPyArray) -> NumPyArray:
        x = x.copy()
        x.flags.writeable = False
        return x


class Strict(Library):
    """array-api-strict, which has nothing that the standard doesn't have, on its CPU or an invented device."""

    array = type(strict.asarray(0))
    index = strict.int64
    float32 = strict.float32
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


class Jax(Library):
    """JAX on its default device: concrete arrays, which the planner compiles for by itself."""

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
        return jnp.stack([jnp.asarray(x), jnp.asarray(np.flip(x, 0))])

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
    return jax.jit(jax.vmap(with_sizes) if batched else with_sizes)


def each(function: Callable[[Any], Any], tree: Any) -> Any:
    """The function of every array in nested tuples; NamedTuples stay what they are."""
    if not isinstance(tree, tuple):
        return function(tree)
    results = [each(function, leaf) for leaf in tree]
    return type(tree)(*results) if hasattr(tree, "_fields") else tuple(results)


def leaves(tree: Any) -> list[Any]:
    """Every array in nested tuples."""
    return [array for leaf in tree for array in leaves(leaf)] if isinstance(tree, tuple) else [tree]


NUMPY = Library("numpy")

LIBRARIES: list[Library] = [
    NUMPY,
    ReadOnly("numpy-readonly"),
    Strict("strict", "CPU_DEVICE"),
    Strict("strict-device", "device1"),
    Torch("torch", "cpu"),
    Torch("torch-cuda", "cuda"),
    Jax("jax"),
    Jit("jax-jit"),
    Vmap("jax-vmap"),
]


def over(libraries: Iterable[Library]) -> pytest.MarkDecorator:
    """A test of its own for each of the libraries."""
    entries = [
        pytest.param(library, marks=pytest.mark.cuda if library.name == "torch-cuda" else (), id=library.name)
        for library in libraries
    ]
    return pytest.mark.parametrize("library", entries)


every_library = over(LIBRARIES)
