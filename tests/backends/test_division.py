"""The correctly rounded division of every library, on a million pairs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import array_api_compat.torch
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from eplb_xp.backends.division import corrected
from eplb_xp.backends.jax import LIBRARY as JAX
from eplb_xp.backends.tensors.library import LIBRARY as TORCH

ROWS, PAIRS = 1000, 1000
LARGEST_DIVISOR = 4096

Float32s = np.ndarray[Any, np.dtype[np.float32]]


def pairs(seed: int) -> tuple[Float32s, Float32s]:
    """Loads as plans divide them, half of them next to a product of a float and the divisor."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, LARGEST_DIVISOR + 1, (ROWS, PAIRS)).astype(np.float32)
    w = rng.uniform(1.0, 2.0, n.shape).astype(np.float32) * np.float32(2.0) ** rng.integers(-80, 1, n.shape)
    product = (rng.uniform(1.0, 2.0, n.shape).astype(np.float32).astype(np.float64) * n).astype(np.float32)
    mantissa, _ = np.frexp(product)
    close = np.nextafter(mantissa * 2, np.float32(rng.integers(0, 2, n.shape) * 4), dtype=np.float32)
    w = np.where(rng.random(n.shape) < 0.5, w, close).astype(np.float32)
    w[0] = 0.0
    return w, n


def torch_on(device: str, divide: Callable[[Any, Any], Any]) -> Callable[[Float32s, Float32s], Any]:
    return lambda w, n: divide(torch.asarray(w, device=device), torch.asarray(n, device=device)).cpu()


def torch_corrected(w: torch.Tensor, n: torch.Tensor) -> Any:
    """What a compiled step on a GPU does."""
    q = w * (1.0 / n)
    bits, floats = partial(torch.Tensor.view, dtype=torch.int32), partial(torch.Tensor.view, dtype=torch.float32)
    return corrected(array_api_compat.torch, q, w, n, bits=bits, floats=floats)


DIVISIONS: dict[str, Callable[[Float32s, Float32s], Any]] = {
    "jax": jax.jit(JAX.divide),
    "jax-vmap": jax.jit(jax.vmap(JAX.divide)),
    "torch": torch_on("cpu", TORCH.divide),
    "torch-compile": torch_on("cpu", torch.compile(TORCH.divide, fullgraph=True)),
    "torch-corrected": torch_on("cpu", torch_corrected),
}
ON_CUDA: dict[str, Callable[[Float32s, Float32s], Any]] = {
    "torch-cuda": torch_on("cuda", TORCH.divide),
    "torch-cuda-compile": torch_on("cuda", torch.compile(TORCH.divide, fullgraph=True)),
}


@pytest.mark.parametrize("name", DIVISIONS)
def test_quotients_are_those_of_ieee_754(name: str) -> None:
    w, n = pairs(seed=1)
    assert np.array_equal(np.asarray(DIVISIONS[name](w, n)), w / n)


def test_quotients_by_a_broadcast_divisor() -> None:
    """XLA may make a multiplication by a reciprocal of it."""
    w, n = pairs(seed=4)
    n = n[:, :1]
    divide = jax.jit(lambda w, n: JAX.divide(w, jnp.broadcast_to(n, w.shape)))
    assert np.array_equal(divide(w, n), w / n)


@pytest.mark.cuda
@pytest.mark.parametrize("name", ON_CUDA)
def test_quotients_on_a_gpu(name: str) -> None:
    w, n = pairs(seed=2)
    assert np.array_equal(np.asarray(ON_CUDA[name](w, n)), w / n)


def test_the_pairs_tell_a_wrong_division() -> None:
    w, n = pairs(seed=3)
    wrong = w * (np.float32(1.0) / n) != w / n
    assert 0.05 < wrong.mean() < 0.6
