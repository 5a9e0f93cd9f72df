"""The benchmark of plans on a GPU as a program: what it needs to start, what ends it, and what costs a row alone."""

import json
import re
import subprocess
import sys
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import by_torch, cases, machine
from benchmarks.gpu.cases import BOTH_ROUTES, WIDE, Case
from benchmarks.gpu.found import Missing, Times
from eplb_xp import Plan
from tests.support.gpu_benchmark import broken, lines_of, made_up, on_host, run
from tests.support.libraries import NumPyArray
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((torch.version, "cuda", None), "needs an NVIDIA GPU, and torch .* is built without CUDA"),
        ((torch.cuda, "is_available", lambda: False), "needs an NVIDIA GPU, and torch finds none"),
        ((util, "find_spec", lambda _: None), "needs Triton"),
        ((machine, "is_switched_on", lambda _: False), "needs the kernels, and EPLB_XP_KERNELS"),
    ],
)
def test_it_starts_only_where_there_are_kernels(
    tmp_path: Path,
    change: tuple[Any, str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(util, "find_spec", lambda _: "there")
    assert machine.why_not() is None
    monkeypatch.setattr(*change)
    assert run() == 2
    printed = capsys.readouterr()
    assert re.fullmatch(f"bench-gpu: {said}.*\n", printed.err)
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_it_starts_without_jax_and_without_the_tests() -> None:
    # What is asked for is nowhere, so this ends alike with a GPU and without one.
    code = "import sys; sys.modules['jax'] = None; from benchmarks.gpu.__main__ import run; run(['--only', 'nothing'])"
    alone = [sys.executable, "-c", code]
    ended = subprocess.run(alone, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 # our own code
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("bench-gpu: n")


def test_a_wrong_plan_ends_all(
    without_gpu: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(by_torch, "made", partial(broken, "logcnt", 0))
    assert run("--only", "greedy global, 58 x 64,", "--seed", "3") == 1
    printed = capsys.readouterr()
    at, said = printed.err.splitlines()
    assert at == "1/3 checking greedy global, 58 x 64, 96 / 32"
    assert said.startswith("bench-gpu: greedy global, 58 x 64, 96 / 32: logcnt of layer 0")
    assert "--seed 3" in printed.err
    assert printed.out == ""
    assert not without_gpu.exists()


def no_times(*_: Any) -> Times:
    raise RuntimeError("no room\nleft")


def test_what_fails_is_named_and_costs_no_other_row(
    without_gpu: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_plan(case: Case, load: NumPyArray) -> Plan[NumPyArray]:
        if case == WIDE:
            raise ValueError("out of resource")
        return on_host(case, load)

    monkeypatch.setattr(by_torch, "made", no_plan)
    monkeypatch.setattr(by_torch, "graph", no_times)
    monkeypatch.setattr(by_torch, "launches", lambda *_: Missing("nothing to be seen"))
    assert run("--only", "greedy", "--quick", "--out", "here/and there") == 0
    rows = json.loads((without_gpu.parent / "here" / "and there" / "gpu.json").read_text())["rows"]
    by_way: dict[str, list[dict[str, Any]]] = {way: [row for row in rows if row["way"] == way] for way in cases.WAYS}
    assert {row["not_measured"] for row in by_way["graph"]} == {
        "RuntimeError: no room left",
        "ValueError: out of resource",
    }
    assert [row["median"] for row in by_way["eager"]] == [67, 88]
    assert [row["target"] for row in by_way["eager"]] == [None, None]
    assert "not measured: RuntimeError: no room left" in capsys.readouterr().out

    monkeypatch.setattr(by_torch, "graph", partial(made_up, 0.0, 1.0))
    assert run("--only", "greedy hierarchical") == 0
    printed = capsys.readouterr().out
    assert lines_of(printed, BOTH_ROUTES[0])[0][:5] == ["9", "8", "to", "10", "[1]"]
    assert "[1] not measured: nothing to be seen" in printed
    assert (without_gpu / "gpu.png").exists()
