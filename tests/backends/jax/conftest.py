"""Loads that JAX plans for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture
def weight() -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).lognormal(0, 1, (8, 64)).astype(np.float32))
