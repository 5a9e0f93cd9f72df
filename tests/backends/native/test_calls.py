"""Native code as it is called: by whom, in which threads, and what there is where it isn't."""

import importlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest

from eplb_xp import POLICIES, Plan, rebalance_experts
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import SWITCH, Refusal
from eplb_xp.sizes import Sizes, check_sizes
from tests.support.libraries import NumPyArray
from tests.support.native import LANES, native_plan, needs_native, once_written_plan
from tests.support.plans import assert_same
from tests.support.threads import at_once

SIZES = (48, 1, 1, 16)
CHECKED = check_sizes(32, *SIZES)
JOINT = POLICIES["joint"]


@pytest.fixture(scope="module")
def weight() -> NumPyArray:
    return np.random.default_rng(0).lognormal(5, 1, (7, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(weight: NumPyArray) -> Plan[NumPyArray]:
    return once_written_plan(weight, CHECKED, JOINT)


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Iterator[mock.Mock]:
    """Native code may take over; how often it has."""
    monkeypatch.delenv(SWITCH, raising=False)
    with mock.patch.object(from_numpy, "plan", wraps=from_numpy.plan) as watched:
        yield watched


def test_the_variable_switches_it_off(
    weight: NumPyArray, expected: Plan[NumPyArray], native: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("0", "triton"):
        monkeypatch.setenv(SWITCH, value)
        assert_same(rebalance_experts(weight, *SIZES), expected)
    assert native.call_count == 0


@needs_native
def test_results_are_fresh_and_loads_stay(weight: NumPyArray, expected: Plan[NumPyArray]) -> None:
    given = weight.copy()
    first = native_plan(given, CHECKED, JOINT, LANES[-1])
    for x in first:
        x.fill(7)
    assert_same(native_plan(given, CHECKED, JOINT, LANES[-1]), expected)
    np.testing.assert_array_equal(given, weight)


@needs_native
@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_threads_divide_layers(
    threads: str, weight: NumPyArray, expected: Plan[NumPyArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(from_numpy.THREADS, threads)
    assert_same(native_plan(weight, CHECKED, JOINT, LANES[-1]), expected)
    assert_same(native_plan(weight[:0], CHECKED, JOINT, LANES[-1]), Plan(*(x[:0] for x in expected)))


@needs_native
@pytest.mark.parametrize("threads", ["0", "-1", "two", "", "1.5", "1025"])
def test_other_numbers_of_threads_are_refused(
    threads: str, weight: NumPyArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(from_numpy.THREADS, threads)
    with pytest.raises(ValueError, match=f"EPLB_XP_THREADS must be an integer from 1 to 1024, got {threads!r}"):
        native_plan(weight, CHECKED, JOINT, 4)


@needs_native
def test_several_callers_at_once(weight: NumPyArray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(from_numpy.THREADS, "2")
    cases = [(policy, np.roll(weight, shift, axis=1)) for shift in range(3) for policy in POLICIES.values()]
    expected = [once_written_plan(load, CHECKED, policy) for policy, load in cases]

    def work(thread: int) -> None:
        for i in range(len(cases)):
            policy, load = cases[(i + 2 * thread) % len(cases)]
            assert_same(native_plan(load, CHECKED, policy, LANES[-1]), expected[(i + 2 * thread) % len(cases)])

    at_once(work, 8)


FORK = """
import os
import numpy as np, eplb_xp

load = np.random.default_rng(0).random((4, 32)).astype(np.float32)
plan = lambda: [x.tolist() for x in eplb_xp.rebalance_experts(load, 48, 1, 1, 16)]
before = plan()
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
else:
    os._exit(plan() != before)
assert plan() == before
"""


@needs_native
def test_after_a_fork() -> None:
    environment = os.environ | {SWITCH: "native", from_numpy.THREADS: "2"}
    subprocess.run([sys.executable, "-c", FORK], check=True, env=environment)  # noqa: S603 # our own code


def test_too_many_replicas_are_left_to_the_once_written_code(weight: NumPyArray) -> None:
    sizes = Sizes(from_numpy.MOST_REPLICAS + 1, 1, 1, 1)
    refusal = from_numpy.plan(LIBRARY, weight, sizes=sizes, policy=JOINT)
    assert isinstance(refusal, Refusal)
    if from_numpy.extension() is not None and not isinstance(from_numpy.extension(), Refusal):
        assert refusal.reason == "native code plans for at most 1048576 replicas, got 1048577"


@needs_native
@pytest.mark.parametrize(
    "change",
    [
        {"weight": np.zeros((2, 7), np.float32)},
        {"integers": np.zeros(27, np.int32)},
        {"integers": np.zeros(26, np.int32)},
        {"floats": np.zeros(1, np.float32)},
        {"strides": np.zeros(1, np.int32)},
        {"logcnt": np.zeros((2, 9), np.int64)},
        {"phy2log": np.zeros((3, 12), np.int64)},
        {"log2phy": np.zeros((2, 8, 5), np.int32)},
        {"lanes": 16},
        {"threads": 0},
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"the shape has other numbers|the arrays do not fit the shape"):
        from_numpy.extension().plan(*(arguments() | change).values())


@needs_native
def test_arrays_that_are_no_rows_of_memory_are_refused() -> None:
    read_only = arguments()
    read_only["phy2log"].flags.writeable = False
    for wrong in (read_only, arguments() | {"weight": np.zeros((8, 2), np.float32).T}):
        with pytest.raises((BufferError, TypeError, ValueError)):
            from_numpy.extension().plan(*wrong.values())


def arguments() -> dict[str, Any]:
    """What the extension module is given for two layers of eight experts."""
    sizes = check_sizes(8, 12, 1, 1, 4)
    integers, floats, strides = from_numpy.shape_of(8, sizes, JOINT)
    width = sizes.width(8)
    maps = {
        name: np.zeros(size, np.int64)
        for name, size in zip(Plan._fields, ((2, 12), (2, 8, width), (2, 8)), strict=True)
    }
    return {
        "weight": np.ones((2, 8), np.float32),
        "integers": integers,
        "floats": floats,
        "strides": strides,
        **maps,
        "lanes": 4,
        "threads": 1,
    }


@pytest.fixture
def not_built() -> Iterator[None]:
    """There is no extension module."""

    import_module = importlib.import_module

    def missing(name: str) -> Any:
        if name != from_numpy.MODULE:
            return import_module(name)
        raise ImportError(f"No module named {name!r}")

    from_numpy.extension.cache_clear()
    with mock.patch.object(importlib, "import_module", missing):
        yield
    from_numpy.extension.cache_clear()


@pytest.mark.usefixtures("not_built")
def test_where_it_is_not_built_that_is_said_once(
    weight: NumPyArray, expected: Plan[NumPyArray], native: mock.Mock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="eplb_xp"):
        for _ in range(3):
            assert_same(rebalance_experts(weight, *SIZES), expected)
    assert native.call_count == 3
    (said,) = caplog.messages
    assert "there is no native code, which is built where there is a C++ compiler: No module named" in said
