"""Profiles of Hypothesis, and the proof that each test ran on its library."""

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings

from eplb_xp.backends.takeover import SWITCH, TRITON
from tests.support.command_line import LOAD
from tests.support.libraries import Library  # first of all, because it says how the libraries start

settings.register_profile("dev", max_examples=8, deadline=None)
settings.register_profile("ci", max_examples=25, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("fuzz", max_examples=25, deadline=None, print_blob=True)
settings.register_profile(
    "mutation", max_examples=10, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "dev"))

gc.disable()  # until all is collected: it would find nothing, again and again

# The forms that this process is told to have; modules that set them while they are imported would tell all tests.
TOLD = os.environ.get(SWITCH)

# Engines' packages are in none of our environments but one: make test-engines.
collect_ignore = ["in_engines"]

# What takes longest comes first, so that no process is left alone with it in the end.
LONGEST_FIRST = (
    "tests/backends/torch/test_compile.py",
    "tests/algorithms/test_policies.py",
    "tests/algorithms/test_joint.py",
    "tests/backends/kernels/test_interpreted.py",
    "tests/algorithms/following/test_invariants.py",
    "tests/backends/jax/test_sharding.py",
    "tests/backends/jax/test_on_numpy.py",
    "tests/test_samples.py",
    "tests/test_evaluation.py",
    "tests/algorithms/test_pipeline.py",
    "tests/algorithms/following/test_bought.py",
    "tests/backends/torch/test_transforms.py",
    "tests/backends/native/test_renewing.py",
    "tests/backends/jax/test_programs.py",
    "tests/backends/native/test_frontiers.py",
    "tests/algorithms/moving/test_relabelling.py",
    "tests/backends/launching/test_shares_from_jax_programs.py",
    "tests/backends/native/test_following.py",
    "tests/algorithms/sharing/test_matchings.py",
    "tests/backends/kernels/test_interpreted_rings.py",
    "tests/backends/kernels/test_interpreted_shares.py",
    "tests/backends/launching/test_shares_from_jax_batches.py",
    "tests/backends/native/test_aarch64.py",
    "tests/docs/test_torch_moves.py",
    "tests/algorithms/following/test_far.py",
    "tests/algorithms/routing/test_quotas.py",
    "tests/algorithms/sharing/test_ring.py",
    "tests/algorithms/improving/test_shaking.py",
    "tests/backends/torch/test_following.py",
    "tests/package/test_threads.py",
    "tests/backends/native/test_sharing.py",
    "tests/docs/test_examples.py",
    "tests/algorithms/rings/test_placing.py",
    "tests/algorithms/packing/test_heaviest_first.py",
    "tests/backends/launching/test_from_jax_programs.py",
    "tests/algorithms/counts/test_replication.py",
    "tests/benchmarks/test_memory.py",
    "tests/backends/jax/test_following.py",
    "tests/cli/test_help.py",
    "tests/algorithms/following/test_steps.py",
    "tests/backends/native/test_following_programs.py",
    "tests/algorithms/moving/test_assigning.py",
    "tests/algorithms/bounds/test_lower_bound.py",
    "tests/test_checks.py",
    "tests/loads/test_presets.py",
    "tests/test_sizes.py",
    "tests/algorithms/improving/test_swaps.py",
    "tests/benchmarks/test_speed.py",
    "tests/algorithms/following/test_renewing.py",
    "tests/backends/kernels/test_beforehand.py",
    "tests/package/test_packaging.py",
    "src/eplb_xp/simulation/measuring.py",
    "docs/routing.md",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order of `LONGEST_FIRST`, the others behind them."""
    turn = {name: i for i, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: turn.get(item.nodeid.partition("::")[0], len(turn)))


def pytest_collection_finish() -> None:
    """What is there by now stays: the garbage collector, which took a tenth of the time, looks for less, less often."""
    if os.environ.get(SWITCH) != TOLD:
        raise pytest.UsageError(f"a module sets {SWITCH} for all tests: {os.environ.get(SWITCH)!r} and not {TOLD!r}")
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    gc.enable()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Loads in a file, for the command line."""
    np.savez(tmp_path / "loads.npz", load=LOAD)
    return tmp_path / "loads.npz"


# Rooms whose tests have the forms that users have. Others are about the once-written code, if they don't say otherwise.
AS_USERS = ("cli", "docs", "engines", "loads")


@pytest.fixture(scope="module", autouse=True)
def _forms(request: pytest.FixtureRequest) -> Generator[None]:
    """No native code, unless the environment or the room says so."""
    room = request.path.relative_to(Path(__file__).parent).parts[0]
    with pytest.MonkeyPatch.context() as patch:
        if room not in AS_USERS and SWITCH not in os.environ:
            patch.setenv(SWITCH, TRITON)
        yield


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
