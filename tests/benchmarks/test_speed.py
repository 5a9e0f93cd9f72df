"""The benchmarks: the baseline makes EPLB's plans, and what is red has no time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.shared import baseline
from benchmarks.speed import table as speed_table
from benchmarks.speed.candidates import parameters
from benchmarks.speed.figures import Figure
from benchmarks.speed.loads import FAMILIES_OF_ORDINARY_SIZE
from benchmarks.speed.targets import TARGETS, target
from tests.support.console import shown_as_text
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.loads import FAMILIES, counts, thorough
from tests.support.paths import ROOT
from tests.support.plans import assert_same, plan
from tests.support.references import plan as reference


@st.composite
def problems(draw: st.DrawFn) -> tuple[NumPyArray, tuple[int, ...]]:
    """Loads of ordinary size and sizes of all proportions, groups that don't divide over the nodes among them."""
    small = st.integers(1, 4)
    nodes, groups, experts_per_group, gpus_per_node, more_slots = (draw(small) for _ in range(5))
    experts, gpus = nodes * groups * experts_per_group, nodes * gpus_per_node
    slots = -(-experts // gpus) + more_slots - 1
    family, seed = draw(st.sampled_from(FAMILIES_OF_ORDINARY_SIZE)), draw(st.integers(0, 2**32 - 1))
    of_family = FAMILIES[family](np.random.default_rng(seed), experts).astype(np.float32)
    load = np.concatenate([draw(counts((2, experts))), of_family[None]])
    return load, (gpus * slots, draw(st.sampled_from([nodes * groups, 1])), nodes, gpus)


@thorough
@given(problem=problems())
def test_the_baseline_makes_the_plans_of_eplb(problem: tuple[NumPyArray, tuple[int, ...]]) -> None:
    load, sizes = problem
    before = load.copy()
    made = baseline.rebalance_experts(load, *sizes)
    np.testing.assert_array_equal(load, before)
    assert_same(made, reference.plan(load, *sizes))
    assert_same(made, plan(NUMPY, load, sizes))


def bench(tmp_path: Path, *plugins: str) -> tuple[int, str, Path]:
    """``make bench`` for NumPy alone: its exit status, what it prints, and where its JSON should be."""
    out = tmp_path / "bench.json"
    options = [f"--benchmark-json={out}", "--benchmark-quiet", "--budget=0.02", "-k", "greedy and numpy and not native"]
    chosen = [word for name in ("benchmarks.speed.plugin", *plugins) for word in ("-p", name)]
    command = [sys.executable, "-m", "pytest", "--quiet", *chosen, *options, "benchmarks/speed"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(tmp_path)
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 # our own
    return run.returncode, run.stdout + run.stderr, out


def test_times_stand_beside_the_baseline(tmp_path: Path) -> None:
    status, printed, out = bench(tmp_path)
    assert status == 0, printed
    cells = [line.split() for line in printed.splitlines() if line.startswith("greedy")]
    assert [line[:3] for line in cells] == [["greedy", route, "numpy"] for route in ("global", "hierarchical")]
    document = json.loads(out.read_text())
    assert document["machine_info"]["versions"]["numpy"] == np.__version__
    assert "node" not in document["machine_info"]
    for timed, line in zip(document["benchmarks"], cells, strict=True):
        ratio = timed["stats"]["median"] / np.median(timed["extra_info"]["baseline_seconds"])
        assert float(line[7]) == pytest.approx(ratio, rel=0.01)
        assert f"| {' '.join(line[3:5])} | {' | '.join(line[5:8])} |" in out.with_suffix(".md").read_text()
        assert len(timed["stats"]["data"]) == len(timed["extra_info"]["baseline_seconds"]) >= 3


def test_no_time_is_told_where_a_plan_is_wrong(tmp_path: Path) -> None:
    on_nodes = "lambda load, packs: pack(load[:, ::-1] if packs == 8 else load, packs)"
    (tmp_path / "broken.py").write_text(
        f"from benchmarks.shared import baseline\n\npack = baseline.pack\nbaseline.pack = {on_nodes}\n"
    )
    status, printed, out = bench(tmp_path, "broken")
    assert status == 1
    assert "1 failed, 1 passed" in printed  # the global route is right
    assert "seed=" in printed  # which loads it was
    assert "ratio" not in printed
    assert not out.exists()


def timed(ratio: float, reach: float, baseline_median: float = 1.0) -> tuple[float, dict[str, Any]]:
    names = {"policy": "greedy", "route": "global", "library": "numpy", "family": "zipf 1.2"}
    return ratio, {**names, "ratio": ratio, "baseline_median": baseline_median, "target": {"reach": reach, "aim": 0.5}}


@pytest.mark.parametrize(
    ("rows", "said", "unsaid"),
    [
        ([timed(0.9, 1.0), timed(0.4, 1.0)], ["reach\n", "aim\n"], ["missed", "busy"]),
        ([timed(1.1, 1.0)], ["missed\n", "1 missed what must be reached"], ["busy"]),
        ([timed(0.9, 1.0), timed(0.9, 1.0, 1.5)], ["busy: the baseline's time varied by a factor of 1.5"], ["missed"]),
    ],
)
def test_the_table_says_what_is_missed(rows: list[Any], said: list[str], unsaid: list[str]) -> None:
    printed = "\n".join(line.rstrip() for line in shown_as_text(speed_table.table(rows)).splitlines())
    assert all(words in printed for words in said), printed
    assert not any(words in printed for words in unsaid), printed


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("", "", 0.5, "", 0.65, 0.55), "aim"),
        (Figure("", "", 0.6, "", 0.65, 0.55), "reach"),
        (Figure("", "", 0.7, "", 0.65, 0.55), "missed"),
        (Figure("", "", 40.0, "us", 40.0), "aim"),
        (Figure("", "", 0.91, "", 0.9, grows=True), "aim"),
        (Figure("", "", 0.89, "", 0.9, grows=True), "missed"),
    ],
)
def test_figures_beside_the_table_are_judged(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def test_every_target_of_native_code_is_timed() -> None:
    cases = [case for parameter in parameters(None) for case in parameter.values]
    timed = {case[:2] for case in cases if case.library.name == "numpy-native" and case.target}
    assert timed == {name[:2] for name in TARGETS if name[2] == "numpy-native"}
    assert target("joint", "hierarchical", "torch-native", "lognormal .6") == (4, 2)
    assert target("joint", "hierarchical", "jit-native", "zipf 1.2") == (8, 4)
