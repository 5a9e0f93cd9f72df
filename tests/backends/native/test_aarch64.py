"""Native code on another kind of processor, which an emulator runs: plans and shares are the once-written code's."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp.algorithms.sharing import shares
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes, check_sizes
from tests.backends.native.test_plans import cases
from tests.support.libraries import NumPyArray
from tests.support.native import once_written_plan
from tests.support.paths import ROOT
from tests.support.shares import Batch, batches, shapes_of_all_proportions

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
NUMBER = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 300
MISSING = [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the other processor."""
    program, source = tmp_path_factory.mktemp("native") / "alone", ROOT / "tests" / "backends" / "native" / "alone.cpp"
    flags = ["-std=c++20", "-O3", "-ffp-contract=off", "-fno-math-errno", "-static", "-pthread", "-Wall", "-Werror"]
    include = f"-I{ROOT / 'backends' / 'native'}"
    subprocess.run([COMPILER, *flags, include, source, "-o", program], check=True)  # noqa: S603 # our own source
    return program


def test_plans_are_those_of_the_once_written_code(program: Path) -> None:
    drawn = []

    @settings(max_examples=NUMBER)
    @given(case=cases())
    def draw(case: tuple[NumPyArray, tuple[int, ...], Policy, int | None]) -> None:
        weight, sizes, policy, most = case
        drawn.append((weight, replace(check_sizes(weight.shape[1], *sizes), max_replicas=most), policy))

    draw()
    emulated([program], [its_plan(*case) for case in drawn], [once_written_plan(*case) for case in drawn], np.int32)


def its_plan(weight: NumPyArray, sizes: Sizes, policy: Policy) -> list[NumPyArray]:
    """What the program reads of a plan."""
    return [*from_numpy.shape_of(weight.shape[1], sizes, policy), np.array([len(weight)]), weight.astype(np.float32)]


def test_shares_are_those_of_the_once_written_code(program: Path) -> None:
    drawn: list[tuple[Batch, NumPyArray]] = []

    @settings(max_examples=NUMBER)
    @given(data=st.data(), dtype=st.sampled_from([np.int64, np.float32]), unit=st.sampled_from([1.0, 0.3]))
    def draw(data: st.DataObject, dtype: Any, unit: float) -> None:
        batch = data.draw(batches([data.draw(shapes_of_all_proportions())]))
        drawn.append((batch, (batch.tokens * unit).astype(dtype)))

    draw()
    given_to_it, expected = [], []
    for batch, weight in drawn:
        near = np.full((len(weight), 1), 2.0**-10, np.float32)
        kind = [weight.shape[1], batch.phy2log.shape[1], batch.gpus, 64, weight.dtype.kind == "i"]
        given_to_it.append([np.array(kind, np.int32), np.array([len(weight)]), batch.phy2log, near, weight])
        its = {"num_gpus": batch.gpus, "rounds": 64}
        expected.append(LIBRARY.call(shares.share_of_plan, batch.phy2log, near, weight, **its))
    emulated([program, "shares"], given_to_it, expected)


def emulated(command: list[Any], cases: list[Any], expected: list[Any], dtype: Any = None) -> None:
    """What the program makes of all cases, one after the other, in arrays of this dtype or that of those expected."""
    read = b"".join([np.array([len(cases)]).tobytes(), *(x.tobytes() for case in cases for x in case)])
    done = subprocess.run([EMULATOR, *command], input=read, capture_output=True, check=True)  # noqa: S603
    found = memoryview(done.stdout)
    for want in (x for its in expected for x in its):
        kind = np.dtype(dtype or want.dtype)
        its_bytes, found = found[: kind.itemsize * want.size], found[kind.itemsize * want.size :]
        np.testing.assert_array_equal(np.frombuffer(its_bytes, kind).reshape(want.shape), want)
    assert len(found) == 0
