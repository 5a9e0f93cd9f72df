"""Small floats and integers: exact, and planned or refused alike by every library that can hold them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch

from eplb_xp import balanced_packing, evaluate, rebalance_experts
from eplb_xp.backends import library_of
from tests.support.calls import CALLS, PHY2LOG, WEIGHT, Call, every_call, every_call_but_check
from tests.support.libraries import NUMPY, NumPyArray

FLOATS = (
    *("float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz"),
    *("float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
    *("float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", "bfloat16"),
)
INTEGERS = ("int2", "int4", "uint2", "uint4")
NOT_IN_JAX = ("float6_e2m3fn", "float6_e3m2fn")


def codes(name: str) -> NumPyArray:
    """Every value that a dtype has, eight a layer; of bfloat16 every 64th."""
    dtype = np.dtype(getattr(ml_dtypes, name))
    about: Any = ml_dtypes.finfo if name in FLOATS else ml_dtypes.iinfo
    bits = about(dtype).bits
    unsigned = np.arange(0, 2**bits, 64 if bits > 8 else 1, dtype=f"uint{8 * dtype.itemsize}")
    return np.resize(unsigned.view(dtype), (-(-len(unsigned) // 8), 8))


def loads(name: str) -> NumPyArray:
    """Every value of a dtype that can be a load, eight a layer."""
    every = codes(name)
    value = every.astype(np.float32)
    good = every[(value >= 0) & (value < np.inf)]
    return np.resize(good, (-(-len(good) // 8), 8))


def to_torch(x: NumPyArray) -> torch.Tensor:
    """A tensor of the same bits."""
    return torch.from_numpy(x.view(f"uint{8 * x.dtype.itemsize}").copy()).view(getattr(torch, x.dtype.name))


# Each dtype with each library that has it.
HELD: list[tuple[str, Callable[[NumPyArray], Any]]] = [
    *((name, np.array) for name in (*FLOATS, *INTEGERS)),
    *((name, jnp.asarray) for name in (*FLOATS, *INTEGERS) if name not in NOT_IN_JAX),
    *((name, to_torch) for name in FLOATS if hasattr(torch, name)),
]
held = pytest.mark.parametrize(
    ("name", "asarray"), HELD, ids=[f"{asarray.__module__.partition('.')[0]}-{name}" for name, asarray in HELD]
)


@held
def test_every_value_is_exact(name: str, asarray: Callable[[NumPyArray], Any]) -> None:
    given = asarray(codes(name))
    lib = library_of("x", given)
    want = codes(name).astype(np.float64).astype(np.float32)
    for got in (np.asarray(lib.float32(given)), lib.to_numpy(given)):
        assert got.dtype in (np.float32, np.int8)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", [name for name, asarray in HELD if asarray is jnp.asarray])
def test_every_value_that_counts_is_exact_under_jit(name: str) -> None:
    given = jnp.asarray(codes(name))
    want = codes(name).astype(np.float32)
    got = np.asarray(jax.jit(library_of("x", given).float32)(given))
    counts = ~(np.abs(want) < 2.0**-125)  # smaller loads are zero for every library
    np.testing.assert_array_equal(got[counts], want[counts])


@held
@every_call_but_check
def test_plans_are_those_of_the_same_loads_as_float32(
    call: Call, name: str, asarray: Callable[[NumPyArray], Any]
) -> None:
    weight = np.resize(loads(name)[::-1], WEIGHT.shape)
    plan = [tuple(map(torch.asarray if asarray is to_torch else asarray, triple)) for triple in call.first]
    got = call.function(*plan, asarray(weight), **call.sizes)
    for mine, want in zip(got, call.run(NUMPY, weight.astype(np.float32)), strict=True):
        np.testing.assert_array_equal(np.asarray(mine), want)


@held
def test_every_load_is_planned(name: str, asarray: Callable[[NumPyArray], Any]) -> None:
    got = rebalance_experts(asarray(loads(name)), 12, 1, 1, 4, policy="greedy")
    want = rebalance_experts(loads(name).astype(np.float32), 12, 1, 1, 4, policy="greedy")
    for mine, of_numpy in zip(got, want, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), of_numpy)


@held
@every_call
def test_what_is_no_load_is_refused(call: Call, name: str, asarray: Callable[[NumPyArray], Any]) -> None:
    every = codes(name)
    value = every.astype(np.float32)
    bad = every[~((value >= 0) & (value < np.inf))]
    for one in [bad[0], bad[-1]] if len(bad) else []:
        weight = np.resize(loads(name), WEIGHT.shape)
        weight[1, 2] = one
        plan = [tuple(map(torch.asarray if asarray is to_torch else asarray, triple)) for triple in call.first]
        number = f"{float(one) if name in FLOATS else int(one)}"
        with pytest.raises(ValueError, match=rf"weight has 1 load .* the first {number} at \[1, 2\]"):
            call.function(*plan, asarray(weight), **call.sizes)


@pytest.mark.parametrize("name", [name for name, asarray in HELD if asarray is jnp.asarray])
def test_traced_loads_are_planned_too(name: str) -> None:
    shape = jax.eval_shape(partial(balanced_packing, num_packs=4), jnp.asarray(loads(name)))[0]
    assert shape.shape == loads(name).shape


# What holds no real numbers, or more than one an entry.
REFUSED: dict[str, Any] = {
    name: np.zeros((2, 4), getattr(ml_dtypes, name)) for name in ("complex32", "bcomplex32") if hasattr(ml_dtypes, name)
}
REFUSED |= {r"\|V1": np.zeros((2, 4), "V1")}
REFUSED |= {
    f"torch.{name}": torch.zeros((2, 4 * getattr(torch, name).itemsize), dtype=torch.uint8).view(getattr(torch, name))
    for name in (
        *("float4_e2m1fn_x2", "bits8", "bits2x4", "bits4x2", "bits16", "complex32"),
        *("uint1", "uint2", "uint3", "uint4", "uint7", "int1", "int2", "int4", "int7"),
    )
    if hasattr(torch, name)
}


@pytest.mark.parametrize("name", REFUSED)
@every_call
def test_what_holds_no_real_numbers_is_refused_by_its_name(call: Call, name: str) -> None:
    with pytest.raises(TypeError, match=f"weight must be of integers or real floats, got dtype {name}"):
        call.function(*call.first, REFUSED[name], **call.sizes)


# Plans


@pytest.mark.parametrize("asarray", [np.array, jnp.asarray])
@pytest.mark.parametrize("name", [*INTEGERS[1:], "int8", "uint8"])
def test_plans_of_small_integers_are_measured(name: str, asarray: Callable[[NumPyArray], Any]) -> None:
    plan = (asarray(PHY2LOG.astype(name)),) * 3
    got = evaluate(plan, asarray(WEIGHT), 2)
    for mine, want in zip(got, CALLS["evaluation"].run(NUMPY), strict=True):
        np.testing.assert_array_equal(np.asarray(mine), want)


@pytest.mark.parametrize("name", [*FLOATS, "complex32"])
def test_plans_of_floats_are_refused(name: str) -> None:
    plan = (PHY2LOG.astype(getattr(ml_dtypes, name)),) * 3
    with pytest.raises(TypeError, match=f"phy2log must be of integers, got dtype {name}"):
        evaluate(plan, WEIGHT, 2)


@pytest.mark.parametrize("asarray", [np.array, jnp.asarray, torch.asarray])
@pytest.mark.parametrize(("name", "experts"), [("uint8", 256), ("int8", 128)])
def test_an_entry_of_a_plan_need_not_hold_the_number_of_experts(
    name: str, experts: int, asarray: Callable[[NumPyArray], Any]
) -> None:
    weight = np.ones((1, experts), np.float32)
    phy2log = np.arange(experts)[None].astype(name)
    report = evaluate((asarray(phy2log),) * 3, asarray(weight), 4)
    np.testing.assert_array_equal(np.asarray(report.balancedness), [1])
