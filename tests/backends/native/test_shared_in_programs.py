"""Shares by native code inside of JAX's programs are those of the once-written code, whatever is shared out."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import Prepared, prepare_shares, rebalance_experts, share_tokens
from eplb_xp.backends.launching import xla
from eplb_xp.backends.takeover import NATIVE, SWITCH
from tests.support.jax_shares import (
    GPUS,
    arrays_of,
    shared,
    shared_as,
)
from tests.support.native import natively, needs_native
from tests.support.native_shares import (
    BATCH,
    assert_same,
    by_once_written,
    compiled,
    expected,
    made,
    of_step,
    prepared_by_once_written,
)
from tests.support.shares import Batch, batches, shapes_of_all_proportions

pytestmark = needs_native


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, NATIVE)


@settings(max_examples=15)
@given(
    data=st.data(),
    kind=st.sampled_from([(np.int32, 1), (np.float32, 1), (np.float32, 0.3)]),
    rounds=st.sampled_from([0, 1, 64]),
    tolerance=st.sampled_from([0.0, 2.0**-10, 1.0]),
)
def test_batches_of_all_proportions(data: st.DataObject, kind: Any, rounds: int, tolerance: float) -> None:
    drawn = data.draw(batches([data.draw(shapes_of_all_proportions())]))
    dtype, unit = kind
    weight = (drawn.tokens * unit).astype(dtype)

    def share(phy2log: Any, tokens: Any, its: Any) -> Any:
        plan = (phy2log, phy2log, tokens)
        return share_tokens(plan, tokens, drawn.gpus, prepared=its, rounds=rounds, tolerance=tolerance)

    its: Prepared[Any] = by_once_written(prepare_shares, (drawn.phy2log, drawn.phy2log, weight), drawn.gpus)
    want = by_once_written(share, drawn.phy2log, weight, None)
    with natively():
        for prepared in (None, Prepared(*map(jnp.asarray, its))):
            assert_same(made(share, jnp.asarray(drawn.phy2log), jnp.asarray(weight), prepared), want)


# Experts, replicas, nodes, GPUs, policy.
SIZES = [(64, 80, 1, 16, "ring"), (64, 96, 4, 16, "ring"), (64, 80, 1, 16, "joint"), (12, 132, 1, 33, "swap")]


@pytest.mark.parametrize("sizes", SIZES)
def test_plans_of_many_gpus(sizes: tuple[int, int, int, int, str]) -> None:
    experts, replicas, nodes, gpus, policy = sizes
    rng = np.random.default_rng(0)
    past = rng.lognormal(5, 1, (6, experts)).astype(np.float32)
    tokens = rng.poisson(past * rng.lognormal(0, 0.5, past.shape)).astype(np.int32)
    plan = rebalance_experts(past, replicas, nodes, nodes, gpus, policy=policy)
    for weight in (tokens, past):
        share = functools.partial(share_tokens, num_gpus=gpus)
        assert_same(made(share, tuple(map(jnp.asarray, plan)), weight), by_once_written(share, plan, weight))


@pytest.mark.parametrize(
    "dtype",
    [
        *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "int4"),
        *("float16", "bfloat16", "float32", "float64", "float8_e4m3fn"),
    ],
)
def test_tokens_of_every_dtype(dtype: str) -> None:
    with jax.enable_x64(dtype.endswith("64")):
        phy2log, tokens = arrays_of(BATCH)
        weight = (tokens % 7).astype(dtype)
        theirs = np.asarray(weight).astype(np.float32 if jnp.issubdtype(dtype, jnp.floating) else np.int64)
        assert_same(made(shared, phy2log, weight), expected(Batch(BATCH.phy2log, theirs, GPUS)))


@pytest.mark.parametrize(
    "values", [[np.nan, 1], [np.inf, 2], [-1.0, 3], [-0.0, 0.0], [1e-45, 1e38], [2.0**30, 1.0], [2.0**29, 2.0**29]]
)
def test_loads_beyond_the_door(values: list[float]) -> None:
    weight = np.resize(np.array(values, np.float32), (4, 8))
    arrays = (*prepared_by_once_written(BATCH.phy2log), weight)
    assert_same(made(shared, BATCH.phy2log, weight), of_step(*arrays))


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_tokens_that_are_too_many_are_halved(dtype: str) -> None:
    most = int(np.iinfo(dtype).max)
    rows = [[most, 5], [2**29, 2**29 - 1], [2**30, 0], [2**30 - 1, 0]]
    weight = np.array([np.resize(np.array(row, dtype), 8) for row in rows])
    weight[3, 1:] = 0
    with jax.enable_x64(dtype.endswith("64")):
        found = made(shared, BATCH.phy2log, jnp.asarray(weight))
    assert_same(found, of_step(*prepared_by_once_written(BATCH.phy2log), weight))


def test_what_is_prepared_is_what_the_once_written_code_finds() -> None:
    def prepare(phy2log: Any, tokens: Any) -> Any:
        return prepare_shares((phy2log, phy2log, tokens), GPUS)

    lowered = jax.jit(prepare).lower(*BATCH[:2])
    assert f"@{xla.PREFIX}prepare(" in lowered.as_text()
    assert_same(lowered.compile()(*BATCH[:2]), prepared_by_once_written(BATCH.phy2log))


def test_layers_that_miss_experts_are_shared_as_by_the_once_written_code() -> None:
    """Those are looked at nowhere in a program."""
    phy2log = BATCH.phy2log.copy()
    phy2log[0] = -1
    phy2log[1, ::5] = 99
    assert_same(made(shared, phy2log, BATCH.tokens), of_step(*prepared_by_once_written(phy2log), BATCH.tokens))


def test_what_is_no_plan_is_an_error() -> None:
    wrong = prepared_by_once_written(BATCH.phy2log)
    wrong.holders[1, 2] += 1
    few = np.tile(np.array([0, 1, 2, 3] * 3, np.int32), (4, 1))  # more replicas of experts of several than any plan has
    for share, arrays in ((shared_as, (wrong, *BATCH[:2])), (shared, (few, BATCH.tokens))):
        program = compiled(share, *arrays)
        with pytest.raises(jax.errors.JaxRuntimeError, match=r"INVALID_ARGUMENT.*what prepare_shares made of one"):
            jax.block_until_ready(program(*arrays))
