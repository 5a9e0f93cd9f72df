"""The libraries that are timed: by the once-written code, and with native code in its place."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import pytest
import torch

from tests.support.libraries import LIBRARIES
from tests.support.library import Library
from tests.support.native import natively, needs_native
from tests.support.other_libraries import Jax, Jit, Torch

ONCE_WRITTEN = ("numpy", "torch", "torch-cuda", "jax", "jax-jit")


class TorchNative(Torch):
    """Tensors in host memory."""

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        """With native code."""
        with natively():
            return super().call(function, *arrays, **static)


class Concrete(Jax):
    """JAX's concrete arrays, compiled for, where NumPy doesn't plan, as for users; tests have it plainer."""

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        """As it is."""
        return function(*arrays, **static)


class Jitted(Jit):
    """Inside jax.jit, compiled as for users; tests have it plainer."""

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        """The program, compiled once."""
        return _compiled(self.name, function, **static)(*arrays)


class JitNative(Jitted):
    """Inside jax.jit, where native code is a call of the program: only tracing and compiling ask for it."""

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        """With native code."""
        with natively():
            return super().call(function, *arrays, **static)


@cache
def _compiled(library: str, function: Callable[..., Any], **static: Any) -> Callable[..., Any]:  # noqa: ARG001 # each its own
    """A function object of its own, because JAX caches compilations by it."""
    return jax.jit(partial(function, **static))


BY_NAME: dict[str, Library] = {library.name: library for library in LIBRARIES}
BY_NAME |= {library.name: library for library in (Concrete("jax"), Jitted("jax-jit"))}
NUMPY_NATIVE = BY_NAME["numpy-native"]
JIT_NATIVE = JitNative("jit-native")
NATIVE = (NUMPY_NATIVE, TorchNative("torch-native", "cpu"), JIT_NATIVE)


def marks(library: Library) -> list[pytest.MarkDecorator]:
    """What says where it can't be timed."""
    if library in NATIVE:
        return [needs_native]
    if library.name != "torch-cuda":
        return []
    no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
    return [pytest.mark.cuda, no_gpu]
