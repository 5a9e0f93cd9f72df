"""The benchmark of starting: every policy has its limits, and what is missed or not measured is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu import machine
from benchmarks.start import __main__ as program
from benchmarks.start import limits, measuring, natively
from benchmarks.start.cases import OF_LARGE, OF_SMALL, Case
from benchmarks.start.figures import Figure, Skipped
from benchmarks.start.measuring import Start
from benchmarks.start.processes import Process
from benchmarks.start.table import PARTS, table
from eplb_xp import POLICIES
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.takeover import Refusal
from eplb_xp.sizes import check_sizes
from tests.support.console import shown_as_text


@pytest.mark.parametrize("case", [*OF_LARGE, *OF_SMALL], ids=lambda case: f"{case.policy}-{case.size.name}")
def test_sizes_fit_the_loads(case: Case, tmp_path: Path) -> None:
    size = case.size
    check_sizes(size.experts, size.replicas, size.groups, size.nodes, size.gpus)
    Start(tmp_path)
    load = np.load(tmp_path / f"{size.layers}x{size.experts}.npy")
    assert load.shape == (size.layers, size.experts)
    assert load.any(axis=1).all()


class Runs:
    """Processes that are not started: each took a second longer than the one before, and twice that of CPU time."""

    def __init__(self) -> None:
        self.environments: list[dict[str, str]] = []

    def __call__(self, *_: str, **environment: str) -> Process:
        self.environments.append(environment)
        seconds = float(len(self.environments))
        return Process(seconds, dict.fromkeys(PARTS, seconds), dict.fromkeys(PARTS, 2 * seconds))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs()
    monkeypatch.setattr(measuring, "run", runs)
    return runs


@pytest.mark.usefixtures("runs")
def test_every_policy_is_held_to_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "why_not", lambda: None)
    start = Start(tmp_path)
    found = [*start.by_numpy(), *start.under_jit(), *start.concrete(), *start.kernels()]
    held = {(each.what, *each.of): each.at_most for each in found if isinstance(each, Figure)}
    for policy in POLICIES:
        assert (held["NumPy", policy, "global"], held["NumPy", policy, "hierarchical"]) == limits.BY_NUMPY[policy]
        for size, at_most in {"global": 12.0, "hierarchical": 12.0, "24 on 8": 5.0, "24 on 4": 5.0}.items():
            assert held["jit, CPU", policy, size] == at_most
        assert held["kernels, CPU", policy, "global"] == 10.0
        assert held["2nd process", policy, "hierarchical"] == held["concrete", policy, "hierarchical"] == 1.0


def test_the_program_is_the_once_written_one(tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "OF_LARGE", OF_LARGE[:1])
    monkeypatch.setattr(measuring, "OF_SMALL", OF_SMALL[:1])
    figures = list(Start(tmp_path).under_jit())
    *first, second = figures
    # Both cases take turns, three times: 1, 3, 5 and 2, 4, 6 seconds for each of four parts.
    assert [figure.seconds for figure in first] == [12.0, 24.0, 16.0, 32.0]
    assert [figure.parts["compile"] for figure in first] == [3.0, 6.0, 4.0, 8.0]
    assert second.what == "2nd process"
    assert second.seconds == 1.0
    caches = [environment["JAX_COMPILATION_CACHE_DIR"] for environment in runs.environments]
    assert len({*caches[:6]}) == 3
    assert {*caches[6:]} == {caches[0]}
    assert all(environment["EPLB_XP_KERNELS"] == "0" for environment in runs.environments[:6])


def test_native_code_is_held_to_limits(tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(natively, "run", runs)
    monkeypatch.setattr(from_numpy, "extension", lambda: None)
    found = list(Start(tmp_path).natively())
    held = {(each.what, each.of): each.at_most for each in found if isinstance(each, Figure)}
    assert held.pop(("extension", ())) == 0.005
    of = {("greedy", "global"), ("greedy", "hierarchical"), ("joint", "global"), ("joint", "hierarchical")}
    limits_of = {"NumPy, native": 0.1, "torch, native": 0.1, "jit, native, CPU": 0.5}
    assert held == {(what, each): at_most for what, at_most in limits_of.items() for each in of}
    assert {environment.get("EPLB_XP_KERNELS", "native") for environment in runs.environments} == {"native"}


def test_native_code_that_is_not_built_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_numpy, "extension", lambda: Refusal("it is not built"))
    assert list(Start(tmp_path).natively()) == [Skipped("native", "it is not built")]


def test_what_is_missed_or_not_measured_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "why_not", lambda: "needs an NVIDIA GPU, and torch finds none")
    fast = Figure("jit, CPU", ("swap", "24 on 8"), 1.5, 5.0, dict.fromkeys(PARTS, 0.25))
    figures = [Figure("import", (), 0.01, 0.05, {}), fast]
    printed = shown_as_text(table(figures))
    assert "took longer" not in printed
    cells = next(line.split() for line in printed.splitlines() if line.startswith("jit, CPU"))
    assert cells == ["jit,", "CPU", "swap", "24", "on", "8", "1500", "5000", *["250"] * 4]

    found = [*figures, fast._replace(seconds=5.1), *Start(tmp_path).kernels()]
    printed = shown_as_text(table(found))
    assert "1 took longer than they may" in printed
    assert "kernels, CPU: not measured, needs an NVIDIA GPU, and torch finds none" in printed
    document = json.loads(program.document(found))
    assert [each["seconds"] for each in document["figures"]] == [0.01, 1.5, 5.1]
    assert document["skipped"] == [Skipped("kernels, CPU", "needs an NVIDIA GPU, and torch finds none")._asdict()]
