"""The kernels of routes for JAX arrays on a GPU: that they find NumPy's slots, however the program is made."""

import functools
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax

from eplb_xp import route
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching.routing import FEW
from tests.support.jax_kernels import CUSTOM_CALL
from tests.support.route_kernels import Given, drawn, expected

pytestmark = pytest.mark.cuda
every_way = pytest.mark.parametrize("by_quota", [True, False], ids=["quota", "turn"])
every_number = pytest.mark.parametrize("tokens", [16, FEW], ids=["one launch", "two launches"])


@pytest.fixture(autouse=True)
def _with_kernels() -> None:
    reason = from_jax.missing()
    if reason is not None:
        pytest.skip(reason)


def made(tokens: int, *, by_quota: bool, front: tuple[int, ...] = (), dtype: str = "int32") -> Given:
    rng = np.random.default_rng(tokens)
    return drawn(rng, (64, 80, 8), (tokens, 2), front=front, by_quota=by_quota, has_first=True, dtype=dtype)


def on_gpu(given: Given) -> tuple[jax.Array, ...]:
    """In the order in which `routed` takes them."""
    quota, log2phy, logcnt, first, experts = given
    arrays = (experts, log2phy, logcnt, first, *([] if quota is None else [quota]))
    return tuple(jax.device_put(x, jax.devices("cuda")[0]) for x in arrays)


def routed(experts: Any, log2phy: Any, logcnt: Any, first: Any, quota: Any = None) -> Any:
    return route(experts, (log2phy, logcnt), quota, first=first)


def check(function: Any, given: Given) -> None:
    """By kernels, and NumPy's."""
    arrays = on_gpu(given)
    assert CUSTOM_CALL in jax.jit(functools.partial(function)).lower(*arrays).as_text()
    for call in (function, jax.jit(function)):
        np.testing.assert_array_equal(np.asarray(call(*arrays)), expected(given), strict=True)


@every_way
@every_number
def test_kernels_route_as_numpy_does(tokens: int, by_quota: bool) -> None:
    for dtype in ("int32", "int16"):
        check(routed, made(tokens, by_quota=by_quota, dtype=dtype))


@every_way
@every_number
def test_layers_of_a_batch_and_of_a_scan(tokens: int, by_quota: bool) -> None:
    given = made(tokens, by_quota=by_quota, front=(3,))
    check(jax.vmap(routed), given)
    check(lambda *its: lax.scan(lambda _, one: (_, routed(*one)), 0, its)[1], given)


@every_way
def test_64_bits_on_a_gpu(by_quota: bool) -> None:
    with jax.enable_x64(True):
        check(routed, made(16, by_quota=by_quota, dtype="int64"))


@every_way
def test_many_batches_from_what_was_there_before(by_quota: bool) -> None:
    """Of one program, so that memory is used again."""
    given = made(FEW, by_quota=by_quota)
    arrays, rng, call = on_gpu(given), np.random.default_rng(0), jax.jit(functools.partial(routed))
    for _ in range(50):
        one = given._replace(experts=rng.integers(-1, rng.choice([2, 65]), given.experts.shape).astype(np.int32))
        slots = call(jax.device_put(one.experts, arrays[0].device), *arrays[1:])
        np.testing.assert_array_equal(np.asarray(slots), expected(one))
