"""Native code on another kind of processor, which an emulator runs: its plans are the once-written code's."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from eplb_xp.backends.launching import from_numpy
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes, check_sizes
from tests.backends.native.test_plans import cases
from tests.support.libraries import NumPyArray
from tests.support.native import once_written_plan
from tests.support.paths import ROOT

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
NUMBER = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 300
MISSING = [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def test_plans_are_those_of_the_once_written_code(tmp_path: Path) -> None:
    drawn = []

    @settings(max_examples=NUMBER)
    @given(case=cases())
    def draw(case: tuple[NumPyArray, tuple[int, ...], Policy, int | None]) -> None:
        weight, sizes, policy, most = case
        drawn.append((weight, replace(check_sizes(weight.shape[1], *sizes), max_replicas=most), policy))

    draw()
    found = memoryview(emulated(built(tmp_path), drawn))
    for weight, sizes, policy in drawn:
        for expected in once_written_plan(weight, sizes, policy):
            got, found = np.frombuffer(found[: 4 * expected.size], np.int32), found[4 * expected.size :]
            np.testing.assert_array_equal(got.reshape(expected.shape), expected)
    assert len(found) == 0


def built(folder: Path) -> Path:
    """The program, for the other processor."""
    program, source = folder / "alone", ROOT / "tests" / "backends" / "native" / "alone.cpp"
    flags = ["-std=c++20", "-O3", "-ffp-contract=off", "-fno-math-errno", "-static", "-pthread", "-Wall", "-Werror"]
    include = f"-I{ROOT / 'backends' / 'native'}"
    subprocess.run([COMPILER, *flags, include, source, "-o", program], check=True)  # noqa: S603 # our own source
    return program


def emulated(program: Path, drawn: list[tuple[NumPyArray, Sizes, Policy]]) -> bytes:
    """The maps of all cases, one after the other."""
    given = [np.array([len(drawn)]).tobytes()]
    for weight, sizes, policy in drawn:
        integers, floats, strides = from_numpy.shape_of(weight.shape[1], sizes, policy)
        layers = np.array([len(weight)])
        given += [x.tobytes() for x in (integers, floats, strides, layers, weight.astype(np.float32))]
    done = subprocess.run([EMULATOR, program], input=b"".join(given), capture_output=True, check=True)  # noqa: S603
    return done.stdout
