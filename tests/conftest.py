"""Profiles of Hypothesis, and the proof that each test ran on its library."""

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings

from tests.support.command_line import LOAD
from tests.support.libraries import Library  # first of all, because it says how the libraries start

settings.register_profile("dev", max_examples=8, deadline=None)
settings.register_profile("ci", max_examples=25, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("fuzz", max_examples=25, deadline=None, print_blob=True)
settings.register_profile(
    "mutation", max_examples=10, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "dev"))


# What takes longest comes first, so that no process is left alone with it in the end.
LONGEST_FIRST = (
    "tests/backends/kernels/test_interpreted.py",
    "tests/backends/torch/test_compile.py",
    "tests/backends/kernels/test_interpreted_shares.py",
    "tests/algorithms/test_policies.py",
    "tests/algorithms/test_pipeline.py",
    "tests/algorithms/test_joint.py",
    "tests/algorithms/test_golden.py",
    "tests/backends/launching/test_shares_from_jax_programs.py",
    "tests/backends/launching/test_shares_from_jax_batches.py",
    "tests/backends/jax/test_sharding.py",
    "tests/backends/jax/test_on_numpy.py",
    "tests/backends/jax/test_programs.py",
    "tests/docs/test_examples.py",
    "tests/test_evaluation.py",
    "tests/algorithms/packing/test_heaviest_first.py",
    "tests/package/test_threads.py",
    "tests/algorithms/improving/test_shaking.py",
    "README.md",
    "tests/cli/test_help.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order of `LONGEST_FIRST`, the others behind them."""
    turn = {name: i for i, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: turn.get(item.nodeid.partition("::")[0], len(turn)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Loads in a file, for the command line."""
    np.savez(tmp_path / "loads.npz", load=LOAD)
    return tmp_path / "loads.npz"


@pytest.fixture(scope="module", autouse=True)
def _programs() -> Generator[None]:
    """A module's compiled programs end with it: they hold memory maps, of which Linux gives a process 65,530."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


@pytest.fixture
def plainly_compiled() -> Generator[None]:
    """XLA's plain code generator, for what is not about its code."""
    from tests.support.plain_programs import plain_programs  # noqa: PLC0415 # NumPy alone runs without it

    with plain_programs():
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked ``cuda`` run where there is a GPU."""
    if item.get_closest_marker("cuda"):
        import torch  # noqa: PLC0415 # NumPy alone runs without it

        if not torch.cuda.is_available():
            pytest.skip("torch finds no CUDA device")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A test over the libraries fails if it never ran anything on the library it was given."""
    callspec = getattr(item, "callspec", None)
    library: Library | None = callspec.params.get("library") if callspec else None
    runs = library.runs if library else 0
    result = yield
    if library and library.runs == runs:
        pytest.fail(f"{item.name} passed without a run on {library.name}")
    return result
