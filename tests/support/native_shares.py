"""Shares by native code inside of JAX's programs, and those of the once-written code by NumPy."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from eplb_xp import Prepared, Shares
from eplb_xp.algorithms.sharing import prepared as preparing
from eplb_xp.algorithms.sharing import shares as once_written
from eplb_xp.backends.launching import xla
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import OFF, SWITCH
from tests.support.jax_shares import GPUS, batch, shared
from tests.support.libraries import NumPyArray
from tests.support.shares import Batch

TARGET = f"@{xla.PREFIX}share("
BATCH = batch()


def by_once_written(function: Callable[..., Any], *arrays: Any) -> Any:
    """By NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, OFF)
        return function(*arrays)


def expected(given_batch: Batch = BATCH) -> Shares[NumPyArray]:
    wanted: Shares[NumPyArray] = by_once_written(shared, *given_batch[:2])
    return wanted


def assert_same(found: Any, want: Any) -> None:
    """Bit for bit, all of them, in dtypes of their own."""
    assert type(found) is type(want)
    for name, ours, theirs in zip(want._fields, found, want, strict=True):
        assert np.asarray(ours).dtype.kind == theirs.dtype.kind
        np.testing.assert_array_equal(np.asarray(ours), theirs, err_msg=name)


def compiled(function: Callable[..., Any], *arrays: Any) -> Any:
    """The program, in which there is native code and nothing else that shares."""
    lowered = jax.jit(functools.partial(function)).lower(*arrays)
    text = lowered.as_text()
    assert TARGET in text
    assert "stablehlo.while" not in text
    return lowered.compile()


def made(function: Callable[..., Any], *arrays: Any) -> Any:
    return compiled(function, *arrays)(*arrays)


def prepared_by_once_written(phy2log: NumPyArray) -> Prepared[NumPyArray]:
    """By NumPy, whatever the plan is."""
    made_of_it: Prepared[NumPyArray] = LIBRARY.call(preparing.prepare, phy2log, num_experts=8, num_gpus=GPUS)
    return made_of_it


def of_step(*arrays: Any) -> Shares[NumPyArray]:
    """By NumPy, which doesn't look at the values first."""
    *prepared, weight = arrays
    near = np.full((len(weight), 1), 2.0**-10, np.float32)
    with np.errstate(all="ignore"):
        found: Shares[NumPyArray] = LIBRARY.call(once_written.share, *prepared, near, weight, num_gpus=GPUS, rounds=64)
    return found
