"""The kernel of quotas for JAX arrays: which steps of a program it may take, and what it does on a CPU."""

import functools
import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from eplb_xp.backends.takeover import SWITCH
from tests.support.jax_kernels import CUSTOM_CALL, launched, planned_shapes
from tests.support.jax_quotas import OF_ALL, OF_ONE, arrays_of, assert_equal, divided, divided_among_all
from tests.support.libraries import NumPyArray
from tests.support.quota_kernels import Given, as_dtype, drawn

# What is tested is what is traced and lowered, in a process that takes itself to have a GPU.
pytestmark = pytest.mark.usefixtures("plainly_compiled", "with_gpu")

SHAPE, NODES = (6, 12, 4), 2
LAYERS = PartitionSpec("layers")
WAYS = {"of a rank": (divided, OF_ONE), "of all": (divided_among_all, OF_ALL)}
every_way = pytest.mark.parametrize(("function", "primitive"), WAYS.values(), ids=WAYS)


def made(seed: int = 1, layers: int = 1, *, of_one: bool = True, dtype: str = "int32") -> Given:
    given = as_dtype(drawn(np.random.default_rng(seed), SHAPE, layers), dtype)
    return given._replace(rank=np.full((layers, 1), seed % 4) if of_one else None)


def in_jax(given: Given) -> tuple[jax.Array, ...]:
    return arrays_of(given, jax.devices("cpu")[0])


def taken(function: Any, *arrays: Any, primitive: str = OF_ONE) -> list[tuple[int, ...]]:
    """The shape of the counts of each step that the kernel may take."""
    return planned_shapes(function, *arrays, primitive=primitive)


@every_way
def test_other_platforms_run_the_once_written_code(function: Any, primitive: str) -> None:
    given = made(of_one=primitive == OF_ONE)
    arrays = in_jax(given)
    assert taken(function, *arrays, primitive=primitive) == [(1, 4, 6)]
    lowered = jax.jit(functools.partial(function)).lower(*arrays)
    assert CUSTOM_CALL not in lowered.as_text()
    assert_equal(lowered.compile()(*arrays), given, NODES)


@every_way
def test_batches_are_layers_and_layers_of_a_scan_are_steps(function: Any, primitive: str) -> None:
    batch = [made(seed, 2, of_one=primitive == OF_ONE) for seed in range(3)]
    arrays = [jnp.stack(parts) for parts in zip(*map(in_jax, batch), strict=True)]
    both = jax.vmap(function)
    assert taken(both, *arrays, primitive=primitive) == [(6, 4, 6)]
    found = jax.jit(both)(*arrays)
    for ours, given in zip(found, batch, strict=True):
        assert_equal(ours, given, NODES)
    scanned = functools.partial(lax.scan, lambda _, one: (_, function(*one)), 0)
    assert taken(lambda *its: scanned(its)[1], *arrays, primitive=primitive) == [(2, 4, 6)]
    for ours, given in zip(jax.jit(lambda *its: scanned(its)[1])(*arrays), batch, strict=True):
        assert_equal(ours, given, NODES)


def test_ranks_as_a_batch() -> None:
    given = made(layers=2)
    rank, *others = in_jax(given)
    every = jax.vmap(divided, in_axes=(0, *[None] * len(others)))
    assert taken(every, jnp.arange(4), *others) == [(8, 4, 6)]
    for number, found in enumerate(jax.jit(every)(jnp.arange(4, dtype=rank.dtype), *others)):
        assert_equal(found, given._replace(rank=np.full((2, 1), number)), NODES)


@pytest.mark.parametrize("check_vma", [True, False])
def test_each_device_of_a_mesh_divides_for_its_rank(check_vma: bool) -> None:
    given = made(layers=2)
    mesh = jax.make_mesh((4,), ("gpu",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu")[:4])
    _, *others = (jax.device_put(x, NamedSharding(mesh, PartitionSpec())) for x in in_jax(given))

    def on_rank(*arrays: jax.Array) -> jax.Array:
        return divided(lax.axis_index("gpu"), *arrays)[None]

    sharded = jax.shard_map(
        on_rank, mesh=mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec("gpu"), check_vma=check_vma
    )
    assert taken(sharded, *others) == [(2, 4, 6)]
    for number, found in enumerate(jax.jit(sharded)(*others)):
        assert_equal(found, given._replace(rank=np.full((2, 1), number)), NODES)


def test_indices_are_of_the_type_that_the_program_was_traced_with() -> None:
    given = made(dtype="int64")
    given = given._replace(share=given.share * 2**35, counts=given.counts * 2**35)
    with jax.enable_x64(True):
        arrays = in_jax(given)
        traced = jax.jit(functools.partial(divided)).trace(*arrays)
    found = traced.lower().compile()(*arrays)
    assert found.dtype == np.int64
    assert_equal(found, given, NODES)


@every_way
def test_an_exported_program_holds_no_kernel(function: Any, primitive: str) -> None:
    arrays = in_jax(made(of_one=primitive == OF_ONE))
    exported = export.export(jax.jit(functools.partial(function)), platforms=("cuda",))(*arrays)
    assert "custom_call" not in exported.mlir_module()


@every_way
def test_the_kernel_gets_what_it_is_to_read(function: Any, primitive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = launched(monkeypatch)
    given = made(layers=3, of_one=primitive == OF_ONE, dtype="int16")
    jax.jit(functools.partial(function)).trace(*in_jax(given)).lower(lowering_platforms=("cuda",))
    (call,) = calls
    of_one = primitive == OF_ONE
    assert call["grid"] == ((3, 6, 1) if of_one else (3, 6, 4))
    assert (call["num_warps"], call["rank_stride"]) == (1, 1)
    for name in ("share", "phy2log", "log2phy", "logcnt", "counts"):
        assert (call[name].shape, call[name].dtype) == (getattr(given, name).shape, np.int16)
    assert call["rank"].shape == ((3, 1) if of_one else given.logcnt.shape)
    assert (call["quota"].shape, call["quota"].dtype) == ((3, 6, 7) if of_one else (3, 4, 6, 7), np.int32)


def nothing(given: Given) -> list[NumPyArray]:
    return [np.asarray(x)[:0] if np.ndim(x) else np.asarray(x) for x in in_jax(given)]


def test_what_the_kernel_does_not_take(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = in_jax(made())
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert taken(divided, *nothing(made())) == []
        many = drawn(np.random.default_rng(2), (20, 516, 516))
        assert taken(divided, *in_jax(many._replace(rank=np.zeros((1, 1), int)))) == []
    assert "quotas_of_rank runs without its kernel: there are no layers" in caplog.text
    assert "at most 512 GPUs, got 516" in caplog.text
    monkeypatch.setenv(SWITCH, "0")
    assert taken(divided, *arrays) == []


@pytest.mark.parametrize("which", [1, -1], ids=["shares", "counts"])
def test_explicit_axes_are_left_to_xla(which: int, caplog: pytest.LogCaptureFixture) -> None:
    mesh = jax.make_mesh((2,), ("layers",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:2])
    arrays = [*in_jax(made(layers=2))]
    arrays[which] = jax.device_put(arrays[which], NamedSharding(mesh, PartitionSpec()))
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert taken(divided, *arrays) == []
    assert "explicit axes of a mesh" in caplog.text
