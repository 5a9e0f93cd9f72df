"""Native code: where it is built, plans with and without it, and all that it is compared on."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import pytest

from eplb_xp import Plan, Policy
from eplb_xp.algorithms import pipeline
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import NATIVE, SWITCH, Refusal
from eplb_xp.sizes import Sizes
from tests.support.library import Library, NumPyArray

FOUND = from_numpy.extension()
WHY_NOT = FOUND.reason if isinstance(FOUND, Refusal) else ""
LANES = (4,) if WHY_NOT else tuple(sorted({4, FOUND.MOST_LANES}))

needs_native = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
every_lanes = pytest.mark.parametrize("lanes", LANES)


class NumPyNative(Library):
    """NumPy, with plans by native code."""

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        with natively():
            return super().call(function, *arrays, **static)


@contextmanager
def natively() -> Iterator[None]:
    """Native code may take over, and nothing else."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = NATIVE
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before


@contextmanager
def poisoned() -> Iterator[None]:
    """Outputs hold something else, before they are written."""

    def full(shape: tuple[int, ...], dtype: Any) -> NumPyArray:
        return np.full(shape, 77, dtype)

    with mock.patch.object(np, "empty", full):
        yield


def native_plan(weight: NumPyArray, sizes: Sizes, policy: Policy, lanes: int) -> Plan[NumPyArray]:
    """The plan of native code, which is not refused."""
    made = from_numpy.plan(LIBRARY, weight, sizes=sizes, policy=policy, lanes=lanes)
    assert not isinstance(made, Refusal), made.reason
    return made


def once_written_plan(weight: NumPyArray, sizes: Sizes, policy: Policy) -> Plan[NumPyArray]:
    made: Plan[NumPyArray] = LIBRARY.call(pipeline.plan, weight, sizes=sizes, policy=policy)
    return made
