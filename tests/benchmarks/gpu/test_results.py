"""What the benchmark of plans on a GPU prints and writes: tables, numbers and a picture, of times that are made up."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import cases, measuring
from benchmarks.gpu.batches import ONE_LAYER, ROUTES
from benchmarks.gpu.cases import ALONE, BOTH_ROUTES, WIDE, Case
from eplb_xp.backends.launching import launch as planning
from eplb_xp.backends.launching.launch import launch
from eplb_xp.backends.takeover import Refusal
from tests.support.gpu_benchmark import GPU, MACHINE, lines_of, run


def test_everything_is_measured_printed_and_written(
    without_gpu: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_alone(layers: int, *arguments: Any) -> Any:
        return Refusal("not for four") if layers == 4 else launch(layers, *arguments)

    monkeypatch.setattr(planning, "launch", not_alone)
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
    assert lines_of(printed, ONE_LAYER) == [
        ["50", "49", "to", "51", "53", "2", "8", "5", "missed"],
        ["108", "107", "to", "109", "111", "+58", "110", "reach"],
    ]
    assert lines_of(printed, ROUTES[0])[0][-3:] == ["10", "5", "missed"]
    # Swap, alone, wide, all of JAX, four shares, two quotas and two routes.
    assert "21 missed what must be reached" in printed

    document = json.loads((without_gpu / "gpu.json").read_text())
    assert document["machine"] == MACHINE
    assert document["seeds"] == {"timed": 0, "checked": 3}
    rows = {(row["case"], row["way"]): row for row in document["rows"]}
    assert {*rows} == {(str(case), way) for case, way in cases.pairs(cases.sections())}
    assert len(rows) == len(document["rows"])
    row = rows[str(hierarchical), "graph"]
    assert {key: row[key] for key in Case._fields} == hierarchical._asdict()
    assert (row["median"], row["lower"], row["upper"], row["rounds"]) == (9, 8, 10, 40)
    assert (row["launches"], row["launched"]) == (1, ["prepare"])
    assert row["target"] == {"reach": 20, "aim": 10, "met": "aim"}
    assert row["published"] == {"by": "vLLM", "least": 18700, "most": 18700}
    assert rows[str(hierarchical), "jax"]["rounds"] == 4
    assert rows[str(hierarchical), "jax"]["target"]["met"] == "missed"
    refused = rows[str(Case("joint", layers=4)), "graph"]
    assert refused["not_measured"] == "refused by the kernels: not for four"
    assert "median" not in refused

    head, _, *lines = (without_gpu / "gpu.md").read_text().split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert all(len(line) == head.count("|") - 1 for line in cells)
    assert [line[0] for line in cells] == [
        name for section in cases.sections() for name in (f"**{section.title}**", *map(str, section.cases))
    ]
    assert cells[1] == [str(hierarchical), "9", "8 to 10", "", "1", "", "20", "10", "aim", "vLLM 18,700", "2,078"]
    taken = (without_gpu / "gpu.md").read_text()
    assert f"on {GPU}, driver unknown, CUDA 12.8, with Python 3.11, torch 2.13.0, jax not installed." in taken
    assert (without_gpu / "gpu.png").read_bytes().startswith(b"\x89PNG")
