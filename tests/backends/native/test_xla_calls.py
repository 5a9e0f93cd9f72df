"""Native code as XLA calls it: versions of its interface, and calls that are none of a plan or of shares."""

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import ffi

from eplb_xp import POLICIES, rebalance_experts
from eplb_xp.algorithms.following import follow
from eplb_xp.backends.launching import from_numpy, searching, shares_from_numpy, xla
from eplb_xp.backends.takeover import NATIVE, SWITCH, Refusal
from eplb_xp.sizes import Sizes, check_sizes
from tests.support import xla_frames
from tests.support.native import needs_native

pytestmark = needs_native

TARGET = f"{xla.PREFIX}plan"
SIZES = (12, 1, 1, 4)
CHECKED = check_sizes(8, *SIZES)
INTEGERS, FLOATS, STRIDES = from_numpy.shape_of(8, CHECKED, POLICIES["joint"])
WIDTH = CHECKED.width(8)


@pytest.mark.parametrize("minor", [1, 2, 3])
def test_its_version_is_the_callers(minor: int) -> None:
    for step in from_numpy.extension().xla_handlers():
        assert xla_frames.version(xla_frames.api(0, minor), step=step) == (0, minor)


def test_its_version_is_the_newest_that_it_knows_or_the_oldest_for_who_does_not_say() -> None:
    assert xla_frames.version(xla_frames.api(0, 9)) == (0, 3)
    assert xla_frames.version(None) == (0, 1)


def test_it_has_no_version_for_what_it_can_not_read() -> None:
    short = xla_frames.api(0, 3)
    short.size -= 1
    for other in (xla_frames.api(1, 0), xla_frames.api(0, 0), short):
        assert xla_frames.version(other) == (-1, -1)
    assert xla_frames.version(xla_frames.api(0, 3), size=ctypes.sizeof(xla_frames.Frame) - 1) == (-1, -1)


@pytest.mark.parametrize("stage", [0, 1, 2, 4, 99])
def test_nothing_is_done_but_executing(stage: int) -> None:
    assert xla_frames.called(stage, of=xla_frames.api(0, 3)) is None


def called(
    dtype: Any = np.float32,
    index: Any = np.int32,
    shapes: Any = ((2, 8), (2, 12), (2, 8, WIDTH), (2, 8)),
    **changes: Any,
) -> list[jax.Array]:
    """What a call by hand returns: of loads and of maps of these shapes, with attributes that a plan has not."""
    assert xla.registered() is None
    given = {"integers": INTEGERS, "reals": FLOATS, "strides": STRIDES, "threads": np.array([1], np.int32)} | changes
    given = {name: value for name, value in given.items() if value is not None}
    call = ffi.ffi_call(TARGET, [jax.ShapeDtypeStruct(shape, index) for shape in shapes[1:]])
    return list(jax.block_until_ready(jax.jit(lambda x: call(x, **given))(jnp.ones(shapes[0], dtype))))


def test_a_call_by_hand() -> None:
    with jax.enable_x64(True):
        for index in (np.int32, np.int64):
            assert called(index=index)[2].sum() == 24


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dtype": np.int32}, "this is no call of a plan"),
        ({"index": np.uint32}, "this is no call of a plan"),
        ({"threads": None}, "this is no call of a plan"),
        ({"more": FLOATS}, "this is no call of a plan"),
        ({"threads": 1}, "this is no call of a plan"),
        ({"threads": np.array([1, 1], np.int32)}, "this is no call of a plan"),
        ({"reals": np.zeros(2, np.int32)}, "this is no call of a plan"),
        ({"threads": np.array([0], np.int32)}, "no such lanes or threads"),
        ({"integers": INTEGERS[:-1]}, "the shape has other numbers"),
        ({"reals": FLOATS[:1]}, "the shape has other numbers"),
        ({"integers": np.roll(INTEGERS, 1)}, "the arrays do not fit the shape"),
        ({"strides": np.zeros(1, np.int32)}, "the arrays do not fit the shape"),
    ],
)
def test_other_calls_are_errors(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(jax.errors.JaxRuntimeError, match=f"INVALID_ARGUMENT.*{reason}"):
        called(**changes)


NUMBERS: Any = searching.STEPS[follow.follow].numbers(
    (2, 1, 8), sizes=CHECKED, policy=POLICIES["joint"], divides=True, gpus_per_node=4, far_cost=1
)


def called_to_follow(previous: Any = np.int32, index: Any = np.int32, layers: int = 2, **changes: Any) -> Any:
    """The same of a plan that follows another."""
    assert xla.registered() is None
    call = ffi.ffi_call(
        f"{xla.PREFIX}follow", [jax.ShapeDtypeStruct(x, index) for x in ((2, 12), (2, 8, WIDTH), (2, 8))]
    )
    given = {**NUMBERS, "threads": np.array([1], np.int32), **changes}
    given = {name: value for name, value in given.items() if value is not None}
    slots, budget = jnp.zeros((layers, 12), previous), jnp.zeros((2, 1), index)
    arrays = slots, budget, jnp.zeros((2, 1), np.float32), jnp.ones((2, 1, 8), np.float32)
    return jax.block_until_ready(jax.jit(lambda *x: call(*x, **given))(*arrays))


def test_a_call_to_follow_by_hand() -> None:
    with jax.enable_x64(True):
        for index in (np.int32, np.int64):
            assert called_to_follow(index, index)[2].sum() == 24


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"previous": np.uint32}, "this is no call of a plan"),
        ({"previous": np.int64}, "this is no call of a plan"),  # indices of two types
        ({"index": np.float32}, "this is no call of a plan"),
        ({"threads": None}, "this is no call of a plan"),
        ({"threads": np.array([-1], np.int32)}, "no such lanes or threads"),
        ({"mark": None}, "this is no call of a plan"),
        ({"mark": np.zeros(14, np.float32)}, "this is no call of a plan"),
        ({"mark": np.ones(14, np.int32)}, "the arrays do not fit the shape"),
        ({"mark": np.zeros(13, np.int32)}, "the arrays do not fit the shape"),
        ({"one": np.zeros(13, np.float32)}, "the arrays do not fit the shape"),
        ({"layers": 3}, "the arrays do not fit the shape"),
        ({"integers": NUMBERS["integers"][1:]}, "the shape has other numbers"),
    ],
)
def test_other_calls_to_follow_are_errors(changes: dict[str, Any], reason: str) -> None:
    with jax.enable_x64(True), pytest.raises(jax.errors.JaxRuntimeError, match=f"INVALID_ARGUMENT.*{reason}"):
        called_to_follow(**changes)


def called_to_share(index: Any = np.int32, proof: Any = np.bool_, weight: Any = np.int32, **changes: Any) -> Any:
    """The same of shares of a plan of one replica for each expert."""
    assert xla.registered() is None
    results = [*shares_from_numpy.results_of_share((2, 8), 4, index)]
    results[4] = (results[4][0], proof)
    told = shares_from_numpy.shape_of(8, 8, 4, 5, are_integers=True, index_bytes=jnp.dtype(index).itemsize)
    given = {"integers": told, "threads": np.array([1], np.int32), **changes}
    places = np.tile(np.array([0, 2, 4, 6, 1, 3, 5, 7]), (2, 1))
    each = np.arange(8)[None] + np.zeros((2, 1))
    prepared = (places, np.zeros((2, 1)), each, each * 0 + 1, each * 0 - 1, each * 0 - 1, np.ones((2, 1)))
    call = ffi.ffi_call(f"{xla.PREFIX}share", [jax.ShapeDtypeStruct(*result) for result in results])
    arrays = (*(x.astype(index) for x in prepared), np.zeros((2, 1), np.float32), np.ones((2, 8), weight))
    return jax.block_until_ready(jax.jit(lambda *x: call(*x, **given))(*arrays))


def test_a_call_to_share_by_hand() -> None:
    with jax.enable_x64(True):
        for index in (np.int32, np.int64):
            assert called_to_share(index, weight=index)[0].tolist() == [[1] * 8] * 2


OTHER_BYTES = shares_from_numpy.shape_of(8, 8, 4, 5, are_integers=True, index_bytes=8)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"proof": np.int32}, "this is no call of a plan"),
        ({"proof": np.uint8}, "this is no call of a plan"),
        ({"weight": np.int64}, "this is no call of a plan"),  # another type than indices
        ({"weight": np.uint32}, "this is no call of a plan"),
        ({"weight": np.bool_}, "this is no call of a plan"),
        ({"integers": np.zeros(6, np.float32)}, "this is no call of a plan"),
        ({"integers": np.zeros(5, np.int32)}, "the shape has other numbers"),
        ({"integers": np.zeros(6, np.int32)}, "the arrays do not fit the shape"),
        ({"integers": OTHER_BYTES}, "the arrays do not fit the shape"),
        ({"threads": np.array([0], np.int32)}, "no such lanes or threads"),
    ],
)
def test_other_calls_to_share_are_errors(changes: dict[str, Any], reason: str) -> None:
    with jax.enable_x64(True), pytest.raises(jax.errors.JaxRuntimeError, match=f"INVALID_ARGUMENT.*{reason}"):
        called_to_share(**changes)


def test_too_little_memory_is_an_error() -> None:
    overcommit = Path("/proc/sys/vm/overcommit_memory")
    if not overcommit.exists() or overcommit.read_text().strip() == "1":
        pytest.skip("this system gives memory that it does not have")
    experts, slots, width = 2**19, 2**20, 4
    sizes = Sizes(slots, 1, 1, slots // 8, max_replicas=width)
    integers = from_numpy.shape_of(experts, sizes, POLICIES["joint"])[0].copy()
    for name, number in (("levels", 1), ("refined", 2), ("parents", 2)):  # tens of terabytes
        integers[from_numpy.INTEGERS.index(name)] = number * (slots - experts)
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"RESOURCE_EXHAUSTED.*no memory for a plan"):
        called(integers=integers, shapes=((1, experts), (1, slots), (1, experts, width), (1, experts)))


@pytest.fixture
def refusing() -> Iterator[None]:
    """A jaxlib that doesn't take the handler."""
    xla.registered.cache_clear()
    error = jax.errors.JaxRuntimeError("the handler's API version is incompatible")
    with mock.patch.object(ffi, "register_ffi_target", side_effect=error):
        yield
    xla.registered.cache_clear()


@pytest.mark.usefixtures("refusing")
def test_where_jaxlib_does_not_take_it_the_once_written_code_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, NATIVE)
    refusal = xla.registered()
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "this jaxlib does not take native code: the handler's API version is incompatible"
    lowered = jax.jit(lambda x: rebalance_experts(x, *SIZES, policy="greedy")).lower(jnp.ones((2, 8)))
    assert TARGET not in lowered.as_text()
