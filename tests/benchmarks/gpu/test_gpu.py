"""The benchmark of plans on a GPU, as far as it goes without one: the times are made up."""

import json
import re
import subprocess
import sys
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from benchmarks.gpu import __main__ as program
from benchmarks.gpu import by_torch, cases, compiling, loads, machine, measuring, picture
from benchmarks.gpu.cases import ALONE, BOTH_ROUTES, WIDE, Case
from benchmarks.gpu.checking import WrongPlanError, check, difference
from benchmarks.gpu.found import Found, Missing, Times, times
from benchmarks.gpu.loads import CHECKED_LAYERS, FAMILIES, SETS, fresh, timed
from benchmarks.gpu.targets import PUBLISHED, TARGETS, Target, met, target
from eplb_xp import Plan, rebalance_experts
from eplb_xp.backends.launching.launch import launch
from eplb_xp.backends.takeover import Refusal
from eplb_xp.cli.errors import UserError
from eplb_xp.sizes import check_sizes
from tests.support.libraries import NumPyArray
from tests.support.paths import ROOT

SMALL = Case("swap", layers=3, experts=8, replicas=12, gpus=4)
GPU = "NVIDIA H200 $1"  # dollars would be mathematics in a picture
MACHINE = {"gpu": GPU, "driver": None, "cuda": "12.8", "python": "3.11", "versions": {"torch": "2.13.0", "jax": None}}

# Microseconds of plans in a graph; 50 of all others.
MADE_UP = {
    BOTH_ROUTES[0]: 9.0,  # greedy, hierarchical: 10 is aimed at
    BOTH_ROUTES[1]: 30.0,  # greedy, global: 30 must be reached
    BOTH_ROUTES[2]: 45.1,  # swap, hierarchical: 45 must be reached
    ALONE: 70.0,  # more than must be reached, and than UltraEP publishes at best
}


def on_host(case: Case, load: NumPyArray) -> Plan[NumPyArray]:
    return rebalance_experts(load, **case.arguments)


def made_up(beyond: float, factor: float, case: Case, sets: NumPyArray, rounds: int) -> Times:
    """Times as they come, of loads that fit."""
    assert sets.shape == (SETS, case.layers, case.experts)
    assert sets.dtype == np.float32
    median = factor * MADE_UP.get(case, 50.0) + beyond
    return Times(median, median - 1, median + 1, rounds)


def no_times(*_: Any) -> Times:
    raise RuntimeError("no room\nleft")


@pytest.fixture
def without_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to write to, and made-up times instead of a GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "why_not", lambda: None)
    monkeypatch.setattr(machine, "describe", lambda: MACHINE)
    monkeypatch.setattr(by_torch, "plan", on_host)
    monkeypatch.setattr(compiling, "compile_all", lambda *_: None)
    monkeypatch.setattr(loads, "CHECKED_LAYERS", 4)
    monkeypatch.setattr(by_torch, "graph", partial(made_up, 0.0, 1.0))
    monkeypatch.setattr(by_torch, "eager", partial(made_up, 58.0, 1.0))
    monkeypatch.setattr(by_torch, "launches", lambda case, _: ("prepare", "Memset")[: 1 + (case.policy != "greedy")])
    monkeypatch.setattr(measuring, "_jax", partial(made_up, 0.0, 1.31))
    return tmp_path / "out"


def run(*arguments: str) -> Any:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        program.run([*arguments])
    return ended.value.code


def lines_of(printed: str, case: Case) -> list[list[str]]:
    """The cells after the case's name, wherever it is."""
    return [line.removeprefix(str(case)).split() for line in printed.splitlines() if line.startswith(f"{case} ")]


# What is planned for.


def test_every_policy_route_and_size_is_there() -> None:
    found = cases.sections()
    assert [len(section.cases) for section in found] == [10, 8, 8, 2 * 8, 2 * 5, 2 * 8]
    every = {case for section in found for case in section.cases}
    assert len({str(case) for case in every}) == len(every)
    for case in every:
        sizes = check_sizes(case.experts, case.replicas, case.groups, case.nodes, case.gpus)
        assert (sizes.num_groups, sizes.num_nodes) == (case.groups, case.nodes)
    by_gpus = {case.gpus: case.replicas for case in found[-1].cases}
    assert by_gpus == {8: 288, 16: 288, 32: 288, 64: 320, 128: 384, 256: 512, 512: 1024, 1024: 2048}
    by_experts = {case.experts: case.replicas for case in found[-2].cases}
    assert by_experts == {64: 96, 128: 160, 256: 288, 512: 576, 1024: 1152}  # of 72 and 144, multiples of 32
    assert {case.layers for case in found[-3].cases} == {1, 4, 16, 58, 132, 250, 500, 1000}


def test_a_case_is_measured_once_and_jax_last() -> None:
    pairs = cases.pairs(cases.sections())
    assert len(set(pairs)) == len(pairs)
    ways = [way for _, way in pairs]
    assert ways[-8:] == ["jax"] * 8
    assert ways.count("eager") == 8
    assert ways.count("graph") == 10 + 16 + 10 + 16 - 2 - 2 * 2 - 1  # 288 / 32 is on every axis, 384 / 128 on one


def test_cases_are_chosen_by_name() -> None:
    only = cases.sections("JOINT global", quick=True)
    assert [(section.title, len(section.cases)) for section in only][:3] == [
        ("a plan in a CUDA graph", 1),
        ("called from Python", 1),
        ("inside jax.jit", 1),
    ]
    assert [[getattr(case, section.axis.lower()) for case in section.cases] for section in only if section.axis] == [
        [1, 132, 1000],
        [64, 256, 1024],
        [8, 128, 1024],
    ]
    with pytest.raises(UserError, match=r"'jiont'.*'joint global, 58 x 256, 288 / 32'"):
        cases.sections("jiont")


def test_loads_are_reproducible_and_of_every_family() -> None:
    assert set(FAMILIES) == {"lognormal", "Zipf", "small integers", "70 % idle"}
    for layers in (1, 3, 58, 1000):
        found = list(fresh(layers, 64, 7))
        assert sum(len(families) for _, families in found) >= CHECKED_LAYERS
        counts = [sum(families.count(family) for _, families in found) for family in FAMILIES]
        assert max(counts) - min(counts) <= 1
        assert all(load.shape == (layers, 64) and load.dtype == np.float32 for load, _ in found)
    (load, families), (again, _), (other, _) = (next(fresh(58, 256, seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(load, again)
    assert (load != other).any()
    of_family = {family: load[[name == family for name in families]] for family in FAMILIES}
    assert 0.65 < (of_family["70 % idle"] == 0).mean() < 0.75
    assert all(len(np.unique(layer)) <= 8 for layer in of_family["small integers"])

    sets = timed(3, 256)
    assert sets.shape == (SETS, 3, 256)
    assert SETS >= 8
    assert np.log(sets).std() == pytest.approx(0.6, abs=0.01)
    np.testing.assert_array_equal(sets, timed(3, 256))


def test_targets_are_those_of_every_case() -> None:
    assert {*TARGETS} == {*BOTH_ROUTES, ALONE, WIDE}
    assert TARGETS[Case("swap", groups=8, nodes=4)] == Target(45, 25)
    assert TARGETS[Case("swap")] == Target(80, 40)
    assert {case.policy for case in TARGETS if case not in PUBLISHED} == {"joint", WIDE.policy}
    assert PUBLISHED[Case("swap")].least == 412_000
    graph = Times(10.0, 9.0, 11.0, 5)
    assert target(WIDE, "eager", graph) == Target(70)
    assert target(WIDE, "jax", graph) == Target(13)
    assert target(WIDE, "jax", Missing("none")) is None
    assert [met(median, Target(20, 10)) for median in (10, 10.1, 20, 20.1)] == ["aim", "reach", "reach", "missed"]
    assert met(1, Target(20)) == "reach"


def test_times_are_the_median_and_the_quartiles() -> None:
    assert times([5.0, 1.0, 2.0, 4.0, 3.0]) == Times(3.0, 2.0, 4.0, 5)


# Right first.


def broken(name: str, layer: int, case: Case, load: NumPyArray) -> Plan[NumPyArray]:
    made = on_host(case, load)
    getattr(made, name)[layer, -1] += 1
    return made


@pytest.mark.parametrize("name", Plan._fields)
def test_a_wrong_plan_is_told_with_its_case(name: str) -> None:
    check(SMALL, 5, on_host)
    with pytest.raises(WrongPlanError, match=f"^swap global, 3 x 8, 12 / 4: {name} of layer 2 .small integers.*seed 5"):
        check(SMALL, 5, partial(broken, name, 2))


def test_plans_differ_in_shape_and_dtype_too() -> None:
    made = on_host(SMALL, timed(3, 8)[0])
    assert difference(made, made) is None
    assert difference(made._replace(log2phy=made.log2phy[..., :-1]), made) == ("log2phy", 0)
    assert difference(made._replace(logcnt=made.logcnt.astype(np.int32)), made) == ("logcnt", 0)


def test_a_wrong_plan_ends_all(
    without_gpu: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(by_torch, "plan", partial(broken, "logcnt", 0))
    assert run("--only", "greedy global, 58 x 64,", "--seed", "3") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("bench-gpu: greedy global, 58 x 64, 96 / 32: logcnt of layer 0")
    assert "--seed 3" in printed.err
    assert printed.out == ""
    assert not without_gpu.exists()


def test_tensors_are_planned_for_as_arrays_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_torch, "DEVICE", "cpu")
    check(SMALL, 0, by_torch.plan)
    sets = timed(3, 8)
    slots = np.stack([on_host(SMALL, load).phy2log for load in sets])
    np.testing.assert_array_equal(by_torch.phy2log(SMALL, sets), slots)


# What is written.


def test_everything_is_measured_printed_and_written(
    without_gpu: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_alone(layers: int, *arguments: Any) -> Any:
        return Refusal("not for four") if layers == 4 else launch(layers, *arguments)

    monkeypatch.setattr(measuring, "launch", not_alone)
    monkeypatch.setattr(measuring, "check", lambda *_: None)
    assert run("--replays", "40", "--seed", "3") == 0
    printed = capsys.readouterr().out
    hierarchical, on_all, swap = BOTH_ROUTES[:3]
    times_of = ["9", "8", "to", "10", "1"]
    assert lines_of(printed, hierarchical) == [
        [*times_of, "20", "10", "aim", "vLLM", "18,700", "2,078"],
        ["67", "66", "to", "68", "+58", "69", "reach", "vLLM", "18,700", "279"],
        ["11.8", "10.8", "to", "12.8", "1.31", "x", "11.7", "missed"],
    ]
    assert lines_of(printed, on_all)[0][5:8] == ["30", "15", "reach"]
    assert lines_of(printed, swap)[0][4:8] == ["2", "45", "25", "missed"]
    assert lines_of(printed, ALONE) == [
        ["70", "69", "to", "71", "1", "30", "15", "missed", "UltraEP", "67", "to", "78", "0.957"]
    ]
    assert lines_of(printed, WIDE) == [
        ["50", "49", "to", "51", "1", "45", "20", "missed"],
        ["50", "49", "to", "51", "1"],
    ]
    joint = Case("joint", groups=8, nodes=4)
    assert lines_of(printed, joint)[0] == ["50", "49", "to", "51", "2", "250", "100", "aim"]
    assert lines_of(printed, Case("joint", layers=4)) == [["-", "not", "measured", "[1]"]]
    assert "[1] not measured: refused by the kernels: not for four\n" in printed
    assert "11 missed what must be reached" in printed  # swap, alone, wide, and all of JAX

    document = json.loads((without_gpu / "gpu.json").read_text())
    assert document["machine"] == MACHINE
    assert document["seeds"] == {"timed": 0, "checked": 3}
    rows = {(Case(**{key: row[key] for key in Case._fields}), row["way"]): row for row in document["rows"]}
    assert {*rows} == {*cases.pairs(cases.sections())}
    assert len(rows) == len(document["rows"])
    row = rows[hierarchical, "graph"]
    assert (row["median"], row["lower"], row["upper"], row["rounds"]) == (9, 8, 10, 40)
    assert (row["launches"], row["launched"]) == (1, ["prepare"])
    assert row["target"] == {"reach": 20, "aim": 10, "met": "aim"}
    assert row["published"] == {"by": "vLLM", "least": 18700, "most": 18700}
    assert rows[hierarchical, "jax"]["rounds"] == 4
    assert rows[hierarchical, "jax"]["target"]["met"] == "missed"
    refused = rows[Case("joint", layers=4), "graph"]
    assert refused["not_measured"] == "refused by the kernels: not for four"
    assert "median" not in refused

    head, _, *lines = (without_gpu / "gpu.md").read_text().split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert all(len(line) == head.count("|") - 1 for line in cells)
    assert [line[0] for line in cells] == [
        name for section in cases.sections() for name in (f"**{section.title}**", *map(str, section.cases))
    ]
    assert cells[1] == [str(hierarchical), "9", "8 to 10", "1", "", "20", "10", "aim", "vLLM 18,700", "2,078"]
    taken = (without_gpu / "gpu.md").read_text()
    assert f"on {GPU}, driver unknown, CUDA 12.8, with Python 3.11, torch 2.13.0, jax not installed." in taken
    assert (without_gpu / "gpu.png").read_bytes().startswith(b"\x89PNG")


def test_what_fails_is_named_and_costs_no_other_row(
    without_gpu: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_plan(case: Case, load: NumPyArray) -> Plan[NumPyArray]:
        if case == WIDE:
            raise ValueError("out of resource")
        return on_host(case, load)

    monkeypatch.setattr(by_torch, "plan", no_plan)
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


def test_the_picture_has_a_line_for_each_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [section for section in cases.sections() if section.axis]
    taken: dict[tuple[Case, str], Times | Missing] = {
        pair: Missing("none") if pair[0].gpus == 512 else Times(1.0 + number, 1.0, 2.0, 3)
        for number, pair in enumerate(cases.pairs(chosen))
    }
    drawn: dict[str, list[tuple[int, float]]] = {}

    def plot(_: Any, x: tuple[int, ...], y: tuple[float, ...], **style: Any) -> None:
        drawn.setdefault(style["label"], []).extend(zip(x, y, strict=True))

    monkeypatch.setattr(Axes, "plot", plot)
    picture.write(tmp_path / "gpu.png", chosen, Found(taken, {}), GPU)
    for policy in cases.GROWING:
        assert drawn[policy] == [
            (getattr(case, section.axis.lower()), measured.median)
            for section in chosen
            for case in section.cases
            if section.axis and case.policy == policy and isinstance(measured := taken[case, "graph"], Times)
        ]
        assert len(drawn[policy]) == 8 + 5 + 7


# What is needed.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((torch.version, "cuda", None), "needs an NVIDIA GPU, and torch .* is built without CUDA"),
        ((torch.cuda, "is_available", lambda: False), "needs an NVIDIA GPU, and torch finds none"),
        ((util, "find_spec", lambda _: None), "needs Triton"),
        ((machine, "is_switched_on", lambda: False), "needs the kernels, and EPLB_XP_KERNELS=0"),
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


@pytest.mark.parametrize(
    ("program", "version"), [("echo 570.86.15; echo 570.86.15", "570.86.15"), ("echo no; exit 9", None), ("true", None)]
)
def test_the_driver_is_what_nvidia_smi_says(
    tmp_path: Path, program: str, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.driver() is None
    script = tmp_path / "nvidia-smi"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    assert machine.driver() == version


def test_versions_are_told_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: GPU)
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "no-such-package"))
    described = machine.describe()
    assert described["gpu"] == GPU
    assert described["versions"] == {"numpy": np.__version__, "no-such-package": None}
