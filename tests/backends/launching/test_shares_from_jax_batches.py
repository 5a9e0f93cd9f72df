"""The kernel that makes shares for JAX: batches become layers, and in a mesh shares vary as their arrays do."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from eplb_xp import Shares, prepare_shares, share_tokens
from tests.support.jax_shares import (
    GPUS,
    LAYERS,
    WHOLE,
    arrays_of,
    as_numpy,
    batch,
    cpus,
    on_mesh,
    shared,
    shared_as,
    shared_shapes,
    stacked,
)
from tests.support.share_kernels import expected
from tests.support.shares import Batch, assert_equal

# What is tested is what is traced and lowered.
pytestmark = pytest.mark.usefixtures("plainly_compiled", "with_gpu")

BATCH = batch()


def test_a_batch_is_shared_as_layers() -> None:
    batches = [batch(seed) for seed in range(3)]
    phy2log, tokens = (jnp.stack([jnp.asarray(x[i]) for x in batches]) for i in (0, 1))
    want = stacked(batches)
    last = jax.vmap(shared, in_axes=(1, -1)), (jnp.moveaxis(phy2log, 0, 1), jnp.moveaxis(tokens, 0, -1))
    nested = jax.vmap(jax.vmap(shared)), (phy2log[:, None], tokens[:, None])
    for function, given in ((jax.vmap(shared), (phy2log, tokens)), last, nested):
        assert shared_shapes(function, *given) == [(12, 8)]
    for function, given in (last, nested):
        found = as_numpy(jax.jit(function)(*given))
        assert_equal(Shares(*(x.reshape(y.shape) for x, y in zip(found, want, strict=True))), want)


def test_a_batch_of_some_of_the_arrays() -> None:
    """Of loads, of plans, or of what is prepared."""
    batches = [batch(seed) for seed in range(3)]
    (phy2log, tokens), others = arrays_of(BATCH), [arrays_of(x) for x in batches]
    many_tokens, many_plans = (jnp.stack([x[i] for x in others]) for i in (1, 0))
    prepared = prepare_shares((phy2log, phy2log, tokens), GPUS)
    many = jax.vmap(lambda x: prepare_shares((x, x, tokens), GPUS))(many_plans)
    loads = jax.vmap(shared, in_axes=(None, 0)), (phy2log, many_tokens)
    plans = jax.vmap(shared_as, in_axes=(0, 0, None)), (many, many_plans, tokens)
    for function, given in (
        *(loads, plans),
        (jax.vmap(shared, in_axes=(0, None)), (many_plans, tokens)),
        (jax.vmap(shared_as, in_axes=(None, None, 0)), (prepared, phy2log, many_tokens)),
    ):
        assert shared_shapes(function, *given) == [(12, 8)]
    of_loads = [BATCH._replace(tokens=x.tokens) for x in batches]
    of_plans = [BATCH._replace(phy2log=x.phy2log) for x in batches]
    for (function, given), of in ((loads, of_loads), (plans, of_plans)):
        assert_equal(as_numpy(jax.jit(function)(*given)), stacked(of))


def test_a_batch_of_tolerances() -> None:
    (phy2log, tokens), tolerances = arrays_of(BATCH), [0.0, 0.25, 1.0]

    def within(tolerance: jax.Array) -> Shares[jax.Array]:
        return share_tokens((phy2log, phy2log, tokens), tokens, GPUS, tolerance=tolerance)

    each = jax.vmap(within)
    assert shared_shapes(each, jnp.asarray(tolerances)) == [(12, 8)]
    found = as_numpy(jax.jit(each)(jnp.asarray(tolerances)))
    for i, tolerance in enumerate(tolerances):
        assert_equal(Shares(*(x[i] for x in found)), expected(BATCH, tolerance=tolerance))


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize("varies", ["both", "loads", "plans"])
def test_shares_vary_in_shard_map_as_their_arrays_do(varies: str, check_vma: bool) -> None:
    phy2log = BATCH.phy2log[: 1 if varies == "loads" else 4]
    tokens = BATCH.tokens[: 1 if varies == "plans" else 4]
    specs = [LAYERS if len(x) > 1 else WHOLE for x in (phy2log, tokens)]
    given = [on_mesh(cpus(), spec, x) for spec, x in zip(specs, (phy2log, tokens), strict=True)]
    every = [np.tile(x, (4 // len(x), 1)) for x in (phy2log, tokens)]
    want = expected(Batch(every[0], every[1], GPUS))

    sharded = functools.partial(jax.shard_map, mesh=cpus(), out_specs=LAYERS, check_vma=check_vma)
    each = sharded(shared, in_specs=tuple(specs))
    assert shared_shapes(each, *given) == [(1, 8)]
    if check_vma:
        assert_equal(as_numpy(jax.jit(each)(*given)), want)
    # What is prepared varies as the plan does.
    prepared = prepare_shares((phy2log, phy2log, BATCH.tokens[: len(phy2log)]), GPUS)
    prepared = jax.tree.map(lambda x: on_mesh(cpus(), specs[0], x.astype(np.int32)), prepared)
    apart = sharded(shared_as, in_specs=(specs[0], *specs))
    assert shared_shapes(apart, prepared, *given) == [(1, 8)]
    assert_equal(as_numpy(jax.jit(apart)(prepared, *given)), want)


def test_what_all_devices_have_alike_needs_no_axis() -> None:
    given = [on_mesh(cpus(), LAYERS, BATCH.tokens), on_mesh(cpus(), WHOLE, BATCH.phy2log[:1])]
    common = jax.shard_map(
        lambda tokens, phy2log: shared(phy2log, lax.psum(tokens, "layers")),
        mesh=cpus(),
        in_specs=(LAYERS, WHOLE),
        out_specs=WHOLE,
    )
    want = Batch(BATCH.phy2log[:1], BATCH.tokens.sum(axis=0, keepdims=True, dtype=np.int32), GPUS)
    assert_equal(as_numpy(jax.jit(common)(*given)), expected(want))
