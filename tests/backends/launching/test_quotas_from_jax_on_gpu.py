"""The kernel of quotas for JAX arrays on a GPU: that it finds NumPy's, however the program is made."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from eplb_xp.backends.launching import from_jax
from tests.support.jax_kernels import CUSTOM_CALL
from tests.support.jax_quotas import arrays_of, assert_equal, divided, divided_among_all
from tests.support.quota_kernels import Given, as_dtype, drawn

pytestmark = pytest.mark.cuda

SHAPE, NODES = (64, 80, 8), 2
WAYS = {"of a rank": divided, "of all": divided_among_all}
every_way = pytest.mark.parametrize("function", WAYS.values(), ids=WAYS)


@pytest.fixture(autouse=True)
def _with_kernels() -> None:
    reason = from_jax.missing()
    if reason is not None:
        pytest.skip(reason)


def made(seed: int, function: Any, layers: int = 1, dtype: str = "int32", **options: Any) -> Given:
    given = as_dtype(drawn(np.random.default_rng(seed), SHAPE, layers, **options), dtype)
    return given._replace(rank=np.full((layers, 1), seed % 8) if function is divided else None)


def on_gpu(given: Given) -> tuple[jax.Array, ...]:
    return arrays_of(given, jax.devices("cuda")[0])


@every_way
def test_the_kernel_divides_as_numpy_does(function: Any) -> None:
    for seed, dtype in enumerate(("int32", "int16", "uint16")):
        for options in ({}, {"other_batch": True}, {"is_plan": False}):
            given = made(seed, function, 3, dtype, **options)
            arrays = on_gpu(given)
            program = jax.jit(functools.partial(function))
            assert CUSTOM_CALL in program.lower(*arrays).as_text()
            for call in (function, program):
                assert_equal(call(*arrays), given, NODES)


@every_way
def test_layers_of_a_batch_and_of_a_scan(function: Any) -> None:
    batch = [made(8 + seed, function, 2) for seed in range(3)]
    arrays = [jnp.stack(parts) for parts in zip(*map(on_gpu, batch), strict=True)]
    for program in (jax.vmap(function), lambda *its: lax.scan(lambda _, one: (_, function(*one)), 0, its)[1]):
        for found, given in zip(jax.jit(program)(*arrays), batch, strict=True):
            assert_equal(found, given, NODES)


@every_way
def test_64_bits_on_a_gpu(function: Any) -> None:
    with jax.enable_x64(True):
        given = made(1, function, 2, "int64")
        given = given._replace(share=given.share * 2**35, counts=given.counts * 2**35)
        found = function(*on_gpu(given))
        assert found.dtype == np.int64
        assert_equal(found, given, NODES)


@every_way
def test_many_batches_from_what_was_there_before(function: Any) -> None:
    """Of one program, so that memory is used again."""
    call = jax.jit(functools.partial(function))
    for seed in range(50):
        given = made(seed, function, 2, other_batch=seed % 2 == 1)
        assert_equal(call(*on_gpu(given)), given, NODES)
