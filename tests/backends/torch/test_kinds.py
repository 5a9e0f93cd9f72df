"""Tensors that are not plain: those without values, subclasses, and plain ones under modes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from eplb_xp.backends.tensors.library import LIBRARY
from tests.support.torch_kinds import Below, Held, Named
from tests.support.torch_plans import assert_as_numpy, every_function, few

Function = Callable[[Any], Any]
LOADS = few(3)


class Dispatched(TorchDispatchMode):
    """Keeps the names of operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


class Functions(TorchFunctionMode):
    """Keeps the names of functions."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


@every_function
@pytest.mark.parametrize("kind", ["meta", "fake", "fake, in its mode"])
def test_without_values_the_results_are_known_by_their_shapes(function: Function, kind: str) -> None:
    fakes = FakeTensorMode()
    weight = LOADS.to("meta") if kind == "meta" else fakes.from_tensor(LOADS)
    if kind == "fake, in its mode":
        with fakes:
            made = function(weight)
    else:
        made = function(weight)
    for ours, expected in zip(made, function(LOADS), strict=True):
        assert (ours.shape, ours.dtype) == (expected.shape, expected.dtype)
        assert (type(ours), ours.device) == (type(weight), weight.device)


@every_function
@pytest.mark.parametrize("kind", [Named, Held, Below])
def test_subclasses(function: Function, kind: Any) -> None:
    weight = LOADS.as_subclass(Named) if kind is Named else kind(LOADS)
    made = function(weight)
    assert_as_numpy([x.as_subclass(torch.Tensor) for x in made], function, LOADS)


@every_function
def test_other_plain_tensors(function: Function) -> None:
    zeros = torch.complex(torch.zeros(3, 8), -LOADS)
    for weight in (torch.nn.Parameter(LOADS), LOADS.clone().share_memory_(), zeros.conj().imag):
        assert LIBRARY.is_readable(weight)
        assert_as_numpy(function(weight), function, LOADS)
    assert_as_numpy(function(torch._efficientzerotensor((3, 8))), function, torch.zeros(3, 8))


@every_function
@pytest.mark.parametrize("mode", [Dispatched, Functions])
def test_a_mode_sees_the_operator(function: Function, mode: Any) -> None:
    with mode() as active:
        made = function(LOADS)
    assert any("eplb_xp" in name for name in active.seen)
    assert_as_numpy(made, function, LOADS)


@every_function
def test_a_default_device_changes_nothing(function: Function) -> None:
    with torch.device("meta"):
        assert LIBRARY.is_readable(LOADS)
        made = function(LOADS)
    assert_as_numpy(made, function, LOADS)
