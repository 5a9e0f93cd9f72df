"""Plans of JAX arrays that follow others: a few layers, and what a program of them is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from eplb_xp import Plan, rebalance_experts
from tests.support.follow_kernels import Case, Shape, drawn, expected
from tests.support.jax_kernels import planned_shapes
from tests.support.libraries import NumPyArray
from tests.support.plans import assert_same

PRIMITIVE = "eplb_xp_follow"
SHAPE = Shape(8, 12, 4)
MOVES = 2  # fewer than a quarter of the slots, so that there is no fresh plan


def case(seed: int = 0, layers: int = 4) -> Case:
    """Budgets are those of a number that all layers share."""
    made = drawn(seed, SHAPE, layers, moves=MOVES, empty=0.1)
    return made._replace(previous=made.previous.astype(np.int32), budget=np.full_like(made.budget, MOVES))


def arrays_of(given: Case) -> tuple[jax.Array, jax.Array]:
    return jnp.asarray(given.previous), jnp.asarray(given.weight[:, 0])


def followed(previous: Any, weight: Any) -> Plan[Any]:
    return rebalance_experts(weight, 12, 1, 1, 4, previous=previous, max_moves=MOVES)


def followed_shapes(function: Any, *arrays: Any) -> list[tuple[int, ...]]:
    """The shape of the loads of each step that kernels may take."""
    return planned_shapes(function, *arrays, primitive=PRIMITIVE)


def as_numpy(found: Any) -> Plan[NumPyArray]:
    """With indices as NumPy has them."""
    assert isinstance(found, Plan)
    return Plan(*(np.asarray(x).astype(np.int64) for x in found))


def assert_followed(found: Any, given: Case) -> None:
    assert_same(as_numpy(found), expected(given))


def assert_each_followed(found: Any, given: list[Case]) -> None:
    for i, one in enumerate(given):
        assert_followed(Plan(*(x[i] for x in found)), one)
