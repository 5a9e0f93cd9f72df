"""The kernel that makes shares for JAX arrays on a GPU: those of NumPy, however the program is made."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType, Mesh

from eplb_xp import Prepared, Shares, prepare_shares, share_tokens
from eplb_xp.backends.launching import from_jax
from eplb_xp.backends.launching import sharing as launching
from eplb_xp.backends.takeover import SWITCH
from tests.support import cuda_shares
from tests.support.jax_kernels import CUSTOM_CALL
from tests.support.jax_shares import (
    GPUS,
    LAYERS,
    WHOLE,
    Share,
    as_numpy,
    batch,
    one_by_one,
    prepared_and_shared,
    shared,
    shared_as,
    stacked,
)
from tests.support.libraries import NumPyArray
from tests.support.share_kernels import assert_identical, expected, launch_of
from tests.support.shares import Batch, assert_equal

pytestmark = pytest.mark.cuda
both_ways = pytest.mark.parametrize("share", [shared, prepared_and_shared], ids=["in one", "prepared"])


@pytest.fixture
def device() -> Any:
    """A GPU that the kernel can run on."""
    reason = from_jax.missing()
    if reason is not None:
        pytest.skip(reason)
    return jax.devices("cuda")[0]


def on(device: Any, given: Batch) -> tuple[jax.Array, jax.Array]:
    return jax.device_put(given.phy2log.astype(np.int32), device), jax.device_put(given.tokens, device)


def has_kernel(function: Any, *arrays: Any) -> bool:
    return CUSTOM_CALL in jax.jit(functools.partial(function)).lower(*arrays).as_text()


@both_ways
@pytest.mark.parametrize("dtype", ["int32", "uint8", "int16", "uint32", "float16", "bfloat16", "float32"])
def test_the_kernel_shares_as_numpy_does(device: Any, dtype: str, share: Share) -> None:
    given = batch(layers=40)
    given = given._replace(tokens=given.tokens.clip(max=250).astype(np.dtype(dtype)))
    arrays = on(device, given)
    assert has_kernel(share, *arrays)
    for found in (share(*arrays), jax.jit(share)(*arrays)):
        assert {x.dtype for x in found} == {np.dtype(np.int32), np.dtype(np.float32), np.dtype(np.bool_)}
        assert all(x.devices() == {device} for x in found)
        assert_identical(as_numpy(found), expected(given))


@pytest.mark.parametrize("dtype", ["float8_e5m2", "int4"])
def test_small_dtypes(device: Any, dtype: str) -> None:
    given = batch(layers=8)
    phy2log, tokens = on(device, given)
    tokens = (tokens % 7).astype(dtype)
    assert has_kernel(shared, phy2log, tokens)
    assert_identical(
        as_numpy(shared(phy2log, tokens)), expected(given._replace(tokens=np.asarray(tokens.astype("int32"))))
    )


@pytest.mark.parametrize("shape", [(256, 288, 32), (60, 72, 6)], ids=["256 experts", "12 slots a GPU"])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_real_sizes(device: Any, shape: tuple[int, int, int], dtype: str) -> None:
    given = cuda_shares.batch(np.random.default_rng(0), 58, shape, dtype)
    phy2log, tokens = on(device, given)
    found = jax.jit(lambda *arrays: share_tokens((arrays[0],) * 3, arrays[1], given.gpus))(phy2log, tokens)
    assert_identical(as_numpy(found), expected(given))


def test_rounds_and_tolerances(device: Any) -> None:
    given = batch(layers=40)
    phy2log, tokens = on(device, given)

    @functools.partial(jax.jit, static_argnames="rounds")
    def within(tolerance: jax.Array, rounds: int) -> Shares[jax.Array]:
        return share_tokens((phy2log, phy2log, tokens), tokens, GPUS, tolerance=tolerance, rounds=rounds)

    for rounds in (64, 1, 0, 3):
        for tolerance in (0.0, 0.25):
            found = within(jax.device_put(np.float32(tolerance), device), rounds)
            assert_identical(as_numpy(found), expected(given, rounds, tolerance))


@both_ways
def test_64_bits(device: Any, share: Share) -> None:
    for dtype in (np.float64, np.int64, np.uint64):
        given = batch(layers=8, dtype=dtype)
        with jax.enable_x64(True):
            arrays = on(device, given)
            assert arrays[1].dtype == dtype
            assert has_kernel(share, *arrays)
            found = share(*arrays)
        assert {x.dtype for x in found if x.dtype.kind == "i"} == {np.dtype(np.int64)}
        assert_identical(as_numpy(found), expected(given))


@both_ways
def test_batches(device: Any, share: Share) -> None:
    batches = [batch(seed) for seed in range(3)]
    phy2log, tokens = (jnp.stack(parts) for parts in zip(*(on(device, x) for x in batches), strict=True))
    of_loads = [batches[0]._replace(tokens=x.tokens) for x in batches]
    of_plans = [batches[0]._replace(phy2log=x.phy2log) for x in batches]
    for function, given, of in (
        (jax.vmap(share), (phy2log, tokens), batches),
        (jax.vmap(share, in_axes=(None, 0)), (phy2log[0], tokens), of_loads),
        (jax.vmap(share, in_axes=(0, None)), (phy2log, tokens[0]), of_plans),
        # Many in one program.
        (lambda *arrays: lax.map(lambda one: share(*one), arrays), (phy2log, tokens), batches),
    ):
        assert has_kernel(function, *given)
        assert_identical(as_numpy(jax.jit(function)(*given)), stacked(of))


def test_a_scan_over_layers_of_what_is_prepared(device: Any) -> None:
    given = batch(layers=12)
    phy2log, tokens = on(device, given)
    prepared = prepare_shares((phy2log, phy2log, tokens), GPUS)

    def layer(total: jax.Array, one: tuple[Prepared[jax.Array], jax.Array, jax.Array]) -> tuple[jax.Array, Any]:
        its, *arrays = jax.tree.map(lambda x: x[None], one)
        found = shared_as(its, *arrays)
        return total + found.busiest[0], found

    def scanned(*arrays: Any) -> Any:
        return lax.scan(layer, jnp.int32(0), arrays)

    assert has_kernel(scanned, prepared, phy2log, tokens)
    total, found = jax.jit(scanned)(prepared, phy2log, tokens)
    want = one_by_one(given)
    assert_identical(as_numpy(found), want)
    assert int(total) == want.busiest.sum()


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize("varies", ["both", "loads", "plans"])
def test_shard_map(device: Any, varies: str, check_vma: bool) -> None:
    mesh = Mesh(np.asarray([device]), ("layers",), axis_types=(AxisType.Auto,))
    specs = (WHOLE if varies == "loads" else LAYERS, WHOLE if varies == "plans" else LAYERS)
    given = batch(layers=8)
    arrays = on(device, given)
    each = jax.shard_map(shared, mesh=mesh, in_specs=specs, out_specs=LAYERS, check_vma=check_vma)
    assert has_kernel(each, *arrays)
    assert_identical(as_numpy(jax.jit(each)(*arrays)), expected(given))


def test_a_batch_beyond_the_limits_is_left_to_xla(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "MOST_WORDS", launch_of(4, 8, 12, GPUS).words * 4)
    batches = [batch(seed) for seed in range(3)]
    phy2log, tokens = (jnp.stack(parts) for parts in zip(*(on(device, x) for x in batches), strict=True))
    assert has_kernel(shared, phy2log[0], tokens[0])
    assert not has_kernel(jax.vmap(shared), phy2log, tokens)
    assert_equal(as_numpy(jax.vmap(shared)(phy2log, tokens)), stacked(batches))


def test_no_gradient_flows_through(device: Any) -> None:
    given = batch(dtype=np.float32)
    phy2log, tokens = on(device, given)

    def squares(tokens: jax.Array) -> jax.Array:
        return jnp.sum(tokens**2) * (1 + shared(phy2log, tokens).gap.sum())

    assert has_kernel(jax.grad(squares), tokens)
    want: NumPyArray = 2 * given.tokens * (1 + expected(given).gap.sum())
    np.testing.assert_allclose(jax.jit(jax.grad(squares))(tokens), want, rtol=1e-5)


@both_ways
def test_an_exported_program_runs_the_once_written_code(device: Any, share: Share) -> None:
    given = batch()
    arrays = on(device, given)
    exported = export.export(jax.jit(share))(*arrays)
    assert "triton" not in exported.mlir_module()
    program: Any = export.deserialize(exported.serialize())
    assert_equal(as_numpy(program.call(*arrays)), expected(given))


def test_what_is_left_to_others(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = batch()
    # Loads elsewhere in this process.
    assert_equal(as_numpy(jax.jit(shared)(*on(jax.devices("cpu")[0], given))), expected(given))
    arrays = on(device, given)
    assert has_kernel(shared, *arrays)
    monkeypatch.setenv(SWITCH, "0")
    assert not has_kernel(shared, *arrays)
    assert_equal(as_numpy(shared(*arrays)), expected(given))
