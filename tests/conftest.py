"""What must be set before the libraries start, and the proof that each test ran on its library."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# JAX would take most of a GPU's memory, and torch shares it.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np
import torch

from command_line import LOAD

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 4)  # for shard_map

settings.register_profile("dev", max_examples=8, deadline=None)
settings.register_profile("ci", max_examples=25, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "dev"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Loads in a file, for the command line."""
    np.savez(tmp_path / "loads.npz", load=LOAD, model="a small model")
    return tmp_path / "loads.npz"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked ``cuda`` run where there is a GPU."""
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A test over the libraries fails if it never ran anything on the library it was given."""
    callspec = getattr(item, "callspec", None)
    library = callspec.params.get("library") if callspec else None
    runs = library.runs if library else 0
    result = yield
    if library and library.runs == runs:
        pytest.fail(f"{item.name} passed without a run on {library.name}")
    return result
