"""What takes a step over: kernels, native code, neither."""

import logging
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import array_api_strict
import numpy as np
import pytest

from eplb_xp import rebalance_experts
from eplb_xp.algorithms import pipeline
from eplb_xp.backends import takeover
from eplb_xp.backends.numpy import NumPy
from eplb_xp.backends.standard import Standard


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

    with mock.patch.dict(takeover._kernels, {(NumPy, pipeline.plan): (kernel, None)}):
        yield layers


def taken_over(plan: Any) -> bool:
    return isinstance(plan.logcnt, str)


def test_a_kernel_takes_over_its_step(weight: Any, calls: list[int]) -> None:
    assert taken_over(rebalance_experts(weight, 12, 1, 1, 4))
    assert calls == [2]


def test_a_kernel_is_not_asked_for_another_library(weight: Any, calls: list[int]) -> None:
    assert not taken_over(rebalance_experts(array_api_strict.asarray(weight), 12, 1, 1, 4))
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


@pytest.mark.parametrize(("value", "on"), [("native", "native"), ("triton", "triton"), ("triton, native", "both")])
def test_the_variable_names_what_may_take_over(value: str, on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPLB_XP_KERNELS", value)
    assert takeover.is_switched_on()
    for form in takeover.FORMS:
        assert takeover.is_switched_on(form) == (on in (form, "both"))


def test_unset_the_variable_lets_all_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EPLB_XP_KERNELS", raising=False)
    assert all(map(takeover.is_switched_on, (None, *takeover.FORMS)))


@pytest.mark.parametrize("value", ["", "1", "cuda", "native,", "0,native"])
def test_other_values_are_refused_when_they_are_used(
    weight: Any, calls: list[int], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPLB_XP_KERNELS", value)
    message = re.escape(f"EPLB_XP_KERNELS must be 0, or one or more of native, triton, got {value!r}")
    with pytest.raises(ValueError, match=message):
        rebalance_experts(weight, 12, 1, 1, 4)
    assert calls == []


def test_without_a_kernel_nothing_is_taken_over(weight: Any) -> None:
    assert not taken_over(rebalance_experts(weight, 12, 1, 1, 4))
