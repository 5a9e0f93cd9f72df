"""The kernels for JAX arrays: plans of small loads, and which of them kernels may make."""

import functools
import sys
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eplb_xp import Plan, rebalance_experts
from tests.support.libraries import NumPyArray

HIERARCHICAL, GLOBAL = (24, 4, 2, 4), (24, 1, 1, 4)
PRIMITIVE, CUSTOM_CALL = "eplb_xp_plan", "triton_kernel_call"


def loads(seed: int = 0, layers: int = 4, experts: int = 16) -> NumPyArray:
    return np.random.default_rng(seed).lognormal(3, 1, (layers, experts)).astype(np.float32)


def plan_for(weight: Any, sizes: tuple[int, int, int, int] = HIERARCHICAL, policy: str = "greedy") -> Plan[Any]:
    return rebalance_experts(weight, *sizes, policy=policy)


swapped = functools.partial(plan_for, policy="swap")  # by three kernels, greedy by one


def assert_same(result: Any, expected: Any) -> None:
    assert type(result) is type(expected)
    for ours, theirs in zip(result, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def stacked(plan: Any, batch: NumPyArray) -> Plan[Any]:
    return Plan(*(np.stack(maps) for maps in zip(*map(plan, batch), strict=True)))


def squares(weight: jax.Array) -> jax.Array:
    return jnp.sum((weight / plan_for(weight).logcnt.astype(jnp.float32)) ** 2)


def planned_shapes(function: Any, *arrays: Any, primitive: str = PRIMITIVE) -> list[tuple[int, ...]]:
    """The shape of the loads, which come last, of each plan that kernels may make, or of another step."""
    # A function of its own, because JAX keeps what it has traced.
    pending: list[Any] = [jax.make_jaxpr(functools.partial(function))(*arrays).jaxpr]
    shapes = []
    for jaxpr in pending:
        for eqn in jaxpr.eqns:
            shapes += [eqn.invars[-1].aval.shape] if eqn.primitive.name == primitive else []
            params = [getattr(param, "jaxpr", param) for param in jax.tree.leaves(list(eqn.params.values()))]
            pending += [param for param in params if hasattr(param, "eqns")]
    return shapes


def launched(patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What kernels of one result are launched with from here on, by the names of their arguments; none of them runs."""
    calls: list[dict[str, Any]] = []

    def triton_call(*arguments: Any, kernel: Any, out_shape: Any, **options: Any) -> jax.Array:
        calls.append(dict(zip(kernel.arg_names, (*arguments, out_shape, options["S"]), strict=True)) | options)
        return jnp.zeros(out_shape.shape, out_shape.dtype)

    stand_in = ModuleType("jax_triton")
    patch.setattr(stand_in, "triton_call", triton_call, raising=False)
    patch.setitem(sys.modules, "jax_triton", stand_in)
    return calls
