"""JAX's values: the type of indices, loads at the limits of float32, and what is traced and so not known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eplb_xp import balanced_packing, check_loads, rebalance_experts, replicate_experts
from tests.support.jax_plans import assert_same, plan_for


def test_indices_of_many_experts_fit_32_bits() -> None:
    weight = np.random.default_rng(3).random((1, 600_000)).astype(np.float32)
    assert_same(replicate_experts(jnp.asarray(weight), 604_000), replicate_experts(weight, 604_000))
    # Idle ones on one GPU: 2^15 items, and as many cells.
    weight = np.where(np.arange(2**16) % 2 == 0, weight[:, : 2**16], 0)
    assert_same(balanced_packing(jnp.asarray(weight), 2), balanced_packing(weight, 2))


def test_index_type_follows_x64(weight: jax.Array) -> None:
    expected = plan_for(weight)
    assert {x.dtype for x in expected} == {np.dtype(np.int32)}
    with jax.enable_x64(True):
        result = plan_for(jnp.asarray(np.asarray(weight), dtype=jnp.float64))
        assert {x.dtype for x in result} == {np.dtype(np.int64)}
        assert_same(result, expected)


def test_loads_that_round_to_the_smallest_normal_number_count_alike() -> None:
    tie = 2.0**-126 * (1 - 2.0**-24)  # float32 takes it for 2^-126, which XLA takes for zero
    weight = np.random.default_rng(2).choice([tie, 2.0**-126, 2.0**-125, 3 * 2.0**-125], (4, 16))
    with jax.enable_x64(True):
        result = replicate_experts(jnp.asarray(weight), 24)
    assert_same(result, replicate_experts(weight, 24))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
def test_bad_traced_loads_count_as_zero(weight: jax.Array, bad: float) -> None:
    given = weight.at[3, 7].set(bad)
    assert_same(jax.jit(plan_for)(given), plan_for(weight.at[3, 7].set(0)))
    with pytest.raises(ValueError, match=r"1 load that is NaN, infinite or negative, the first .* at \[3, 7\]"):
        plan_for(jax.device_put(given, jax.devices("cpu")[0]))


def test_traced_values_cannot_be_checked(weight: jax.Array) -> None:
    with pytest.raises(TypeError, match=r"call check_loads outside of jax\.jit"):
        jax.jit(check_loads)(weight)


def test_traced_sizes_are_refused(weight: jax.Array) -> None:
    with pytest.raises(TypeError, match="num_gpus must be a positive integer"):
        jax.jit(lambda weight, gpus: rebalance_experts(weight, 80, 8, 2, gpus))(weight, 8)
