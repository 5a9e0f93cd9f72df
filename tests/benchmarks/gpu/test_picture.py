"""The picture of plans on a GPU."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes

from benchmarks.gpu import cases, picture
from benchmarks.gpu.cases import Case, Work
from benchmarks.gpu.found import Found, Missing, Times
from tests.support.gpu_benchmark import GPU


def test_the_picture_has_a_line_for_each_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [section for section in cases.sections() if section.axis]
    taken: dict[tuple[Work, str], Times | Missing] = {
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
            if section.axis
            and isinstance(case, Case)
            and case.policy == policy
            and isinstance(measured := taken[case, "graph"], Times)
        ]
        assert len(drawn[policy]) == 8 + 5 + 7
