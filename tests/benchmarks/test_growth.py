"""The benchmark of growth: measured, drawn, and cut off."""

import json
from pathlib import Path

import pytest

from benchmarks.growth import __main__ as growth
from benchmarks.growth import picture as growth_picture
from benchmarks.growth import table as growth_table
from benchmarks.growth.measuring import Series
from benchmarks.growth.sizes import AXES, Size
from tests.support.console import shown_as_text


def test_growth_is_measured_drawn_and_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = [Size(layers=number, experts=8, gpus=4) for number in (1, 2)]
    for axis in AXES:
        monkeypatch.setitem(AXES, axis, small)
    monkeypatch.setattr(growth, "SERIES", [Series("greedy", "baseline"), Series("greedy", "numpy")])
    found = growth.measure(lambda _: None)
    document = json.loads(json.dumps(growth.document(found)))
    assert [cost["layers"] for cost in document["costs"]] == [1, 2, 1, 2]
    for cost in document["costs"]:
        assert cost["plan_bytes"] == 8 * cost["layers"] * (12 + 8 * 5 + 8)  # 12 replicas of 8 experts
        assert cost["peak_bytes"] > cost["plan_bytes"]
        assert cost["seconds"] > 0
    growth_picture.write(tmp_path / "growth.png", found)
    assert (tmp_path / "growth.png").stat().st_size > 10_000
    assert "left out" not in shown_as_text(growth_table.table(found))

    monkeypatch.setattr(growth, "MOST_SECONDS", 0.0)
    printed = shown_as_text(growth_table.table(growth.measure(lambda _: None)))
    assert printed.count("[1]") == 1 + 2 * len(AXES)
    assert "[1] left out: the size before takes 0 s" in printed
