"""Native code on another kind of processor, which an emulator runs: plans and shares are the once-written code's."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp.algorithms import pipeline
from eplb_xp.algorithms.following import follow
from eplb_xp.algorithms.sharing import shares
from eplb_xp.backends.launching import from_numpy, searching
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.policy import Policy
from eplb_xp.sizes import check_sizes
from tests.backends.native import test_plans, test_renewing
from tests.backends.native.test_following import its_settings, sizes_and_settings
from tests.support.following import Sizes
from tests.support.libraries import NumPyArray
from tests.support.paths import ROOT
from tests.support.shares import batches, shapes_of_all_proportions

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
IS_FUZZING = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
NUMBER = 10_000 if IS_FUZZING else 300
FOLLOWING = 10_000 if IS_FUZZING else 60  # which take the once-written code longer
MISSING = [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

Step = Callable[..., Any]
STEPS: tuple[Step, ...] = (pipeline.plan, *searching.STEPS, shares.share_of_plan)  # in the order of alone.cpp


class Request(NamedTuple):
    """A step, what native code is given for it, and what it must return."""

    step: Step
    given: Sequence[NumPyArray]
    expected: Sequence[NumPyArray]

    def bytes(self) -> bytes:
        """As alone.cpp reads it."""
        sized = (part for x in self.given for part in (np.array([x.nbytes]).tobytes(), x.tobytes()))
        results = np.array([x.size * dtype_of(x).itemsize for x in self.expected])
        return b"".join([np.array([STEPS.index(self.step)]).tobytes(), *sized, results.tobytes()])


def dtype_of(expected: NumPyArray) -> np.dtype[Any]:
    """As native code has it, whose indices are of four bytes here."""
    return expected.dtype if expected.dtype.kind in "fb" else np.dtype(np.int32)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the other processor."""
    program, source = tmp_path_factory.mktemp("built") / "alone", ROOT / "tests" / "backends" / "native" / "alone.cpp"
    flags = ["-std=c++20", "-O3", "-ffp-contract=off", "-fno-math-errno", "-static", "-pthread", "-Wall", "-Werror"]
    include = f"-I{ROOT / 'backends' / 'native'}"
    subprocess.run([COMPILER, *flags, include, source, "-o", program], check=True)  # noqa: S603 # our own source
    return program


def test_plans_are_those_of_the_once_written_code(program: Path) -> None:
    drawn: list[Request] = []

    @settings(max_examples=NUMBER)
    @given(case=test_plans.cases())
    def draw(case: tuple[NumPyArray, tuple[int, ...], Policy, int | None]) -> None:
        weight, sizes, policy, most = case
        checked = replace(check_sizes(weight.shape[1], *sizes), max_replicas=most)
        told = from_numpy.shape_of(weight.shape[1], checked, policy)
        expected = LIBRARY.call(pipeline.plan, weight, sizes=checked, policy=policy)
        drawn.append(Request(pipeline.plan, [weight.astype(np.float32), *told], expected))

    draw()
    assert_made(program, drawn)


def test_so_are_those_that_follow_others_or_are_for_samples(program: Path) -> None:
    drawn: list[Request] = []

    @settings(max_examples=FOLLOWING)
    @given(data=st.data(), kind=sizes_and_settings(), samples=st.sampled_from([1, 1, 2]))
    def draw(data: st.DataObject, kind: tuple[Sizes, int, dict[str, Any]], samples: int) -> None:
        sizes, experts, options = kind
        step = data.draw(st.sampled_from([*searching.STEPS]))
        arrays = data.draw(test_renewing.arrays((2, samples, experts), sizes, options["cap"], 2 * sizes[0]))
        previous, budget, gain, fresh, weight = (x.astype("f4" if x.dtype.kind == "f" else "i4") for x in arrays)
        its = its_settings(sizes, experts, **options)
        if step is follow.follow_or_renew:
            given_arrays = [previous, budget, gain, fresh, weight]
        elif step is follow.follow:
            given_arrays = [previous, budget, gain, weight]
        elif step is follow.renew:
            given_arrays, its = [previous, gain, fresh, weight], policy_of(its)
        elif step.__name__ == "frontier":
            given_arrays, its = [previous, weight], its | {"max_moves": data.draw(st.integers(0, 8))}
        else:
            given_arrays, its = [weight], policy_of(its)
        numbers: Any = searching.STEPS[step].numbers(weight.shape, **its)
        told = [numbers[name] for name in sorted(numbers)]
        drawn.append(Request(step, [*given_arrays, *told], LIBRARY.call(step, *given_arrays, **its)))

    draw()
    assert_made(program, drawn)


def test_shares_are_those_of_the_once_written_code(program: Path) -> None:
    drawn: list[Request] = []

    @settings(max_examples=NUMBER)
    @given(data=st.data(), dtype=st.sampled_from([np.int32, np.float32]), unit=st.sampled_from([1.0, 0.3]))
    def draw(data: st.DataObject, dtype: Any, unit: float) -> None:
        batch = data.draw(batches([data.draw(shapes_of_all_proportions())]))
        weight, near = (batch.tokens * unit).astype(dtype), np.full((3, 1), 2.0**-10, np.float32)
        kind = [weight.shape[1], batch.phy2log.shape[1], batch.gpus, 64, weight.dtype.kind == "i", 4]
        arrays = batch.phy2log.astype(np.int32), near, weight
        its = {"num_gpus": batch.gpus, "rounds": 64}
        told = np.array(kind, np.int32)
        drawn.append(Request(shares.share_of_plan, [*arrays, told], LIBRARY.call(shares.share_of_plan, *arrays, **its)))

    draw()
    assert_made(program, drawn)


def policy_of(its: dict[str, Any]) -> dict[str, Any]:
    """What a step is told that moves nothing."""
    return {name: its[name] for name in ("sizes", "policy", "divides")}


def assert_made(program: Path, drawn: Sequence[Request]) -> None:
    """By the program, emulated."""
    given_bytes = [np.array([len(drawn)]).tobytes(), *(request.bytes() for request in drawn)]
    done = subprocess.run([EMULATOR, program], input=b"".join(given_bytes), capture_output=True, check=True)  # noqa: S603
    found = memoryview(done.stdout)
    for request in drawn:
        for expected in request.expected:
            dtype = dtype_of(expected)
            number = expected.size * dtype.itemsize
            got, found = np.frombuffer(found[:number], dtype), found[number:]
            np.testing.assert_array_equal(got.reshape(expected.shape), expected, err_msg=request.step.__name__)
    assert len(found) == 0
