"""The seams: what each library does in its own way, and kernels that take over."""

import logging
from collections.abc import Iterator
from typing import Any

import array_api_strict
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from eplb_xp import rebalance_experts
from eplb_xp.algorithms import pipeline
from eplb_xp.backends import library_of, takeover
from eplb_xp.backends.numpy import NumPy
from eplb_xp.backends.standard import Standard

ARRAYS = {
    "numpy": np.asarray,
    "strict": array_api_strict.asarray,
    "torch": torch.asarray,
    "jax": jnp.asarray,
}
every_library = pytest.mark.parametrize("asarray", ARRAYS.values(), ids=ARRAYS)


@every_library
def test_running_minimum(asarray: Any) -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 7, 32):
        x = rng.random((5, size)).astype(np.float32)
        x[rng.random(x.shape) < 0.2] = np.inf
        given = asarray(x)
        result = library_of("x", given).running_minimum(given)
        assert np.array_equal(np.asarray(result), np.minimum.accumulate(x, axis=-1))


@every_library
def test_put_along_axis_leaves_the_original_alone(asarray: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 100, (4, 9))
    indices = np.stack([rng.permutation(9)[:5] for _ in range(4)])
    values = rng.integers(100, 200, (4, 5))
    expected = x.copy()
    np.put_along_axis(expected, indices, values, axis=-1)
    given = asarray(x)
    result = library_of("x", given).put_along_axis(given, asarray(indices), asarray(values))
    assert np.array_equal(np.asarray(result), expected)
    assert np.array_equal(np.asarray(given), x)


@every_library
def test_loops_keep_the_contract_of_lax(asarray: Any) -> None:
    lib = library_of("x", asarray(np.zeros(1)))

    def collatz(carry: pipeline.Placement) -> pipeline.Placement:
        number, steps, _ = carry
        return pipeline.Placement(lib.xp.where(number % 2 == 0, number // 2, 3 * number + 1), steps + 1, number)

    start = pipeline.Placement(*(asarray(np.asarray(n, dtype=np.int32)) for n in (27, 0, 27)))
    end = lib.while_loop(lambda carry: carry.phy2log != 1, collatz, start)
    assert [int(x) for x in end] == [1, 111, 2]

    table = asarray(np.asarray([5, 7, 11, 13], dtype=np.int32))
    total = lib.fori_loop(1, 4, lambda i, total: total + table[i], table[0])
    assert int(total) == 36


def test_lists_and_unknown_arrays_are_refused() -> None:
    for x in ([[1.0, 2.0]], ((1, 2),), 3.0, None, "loads"):
        with pytest.raises(TypeError, match=f"weight must be an array of NumPy.*got {type(x).__name__}"):
            library_of("weight", x)


# Kernels


@pytest.fixture
def weight() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(2).random((2, 8)).astype(np.float32)


@pytest.fixture
def calls() -> Iterator[list[int]]:
    """The layers of each call of a kernel that takes over plans of an even number of layers."""
    layers: list[int] = []

    def kernel(lib: Standard, weight: Any, **sizes: Any) -> Any:
        layers.append(weight.shape[0])
        if weight.shape[0] % 2:
            return takeover.Refusal("an odd number of layers")
        return pipeline.plan(lib, weight, **sizes)._replace(logcnt="taken over")

    takeover.register(NumPy, pipeline.plan, kernel)
    yield layers
    takeover.unregister(NumPy, pipeline.plan)


def taken_over(plan: Any) -> bool:
    return isinstance(plan.logcnt, str)


def test_a_kernel_takes_over_its_step(weight: Any, calls: list[int]) -> None:
    assert taken_over(rebalance_experts(weight, 12, 1, 1, 4))
    assert calls == [2]


def test_a_kernel_is_not_asked_for_another_library(weight: Any, calls: list[int]) -> None:
    assert not taken_over(rebalance_experts(torch.asarray(weight), 12, 1, 1, 4))
    assert calls == []


def test_a_refusal_leaves_the_step_to_the_written_once_code(
    weight: Any, calls: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        plan = rebalance_experts(weight[:1], 12, 1, 1, 4)
    assert calls == [1]
    assert not taken_over(plan)
    assert "plan runs without its kernel: an odd number of layers" in caplog.text


def test_one_variable_turns_all_kernels_off(weight: Any, calls: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPLB_XP_KERNELS", "0")
    assert not taken_over(rebalance_experts(weight, 12, 1, 1, 4))
    assert calls == []


def test_without_a_kernel_nothing_is_taken_over(weight: Any) -> None:
    assert not taken_over(rebalance_experts(weight, 12, 1, 1, 4))
