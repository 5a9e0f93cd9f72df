"""The picture: a layer's time beside what its busiest GPU has to do."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.moe.fitting import busiest, rest
from benchmarks.moe.rows import Row
from benchmarks.moe.summary import Fitted, fits
from benchmarks.moe.systems import PREFILL
from eplb_xp.cli.output.pictures import STYLES


def write(path: Path, rows: list[Row], machine: str) -> None:
    """A panel for each system and phase: a point for each batch, a line for the model."""
    found = list(fits(rows))
    figure = Figure(figsize=(11, 3.4 * -(-len(found) // 3)), layout="constrained")
    figure.suptitle(
        f"{machine}: a layer's time, but for finding slots, against its busiest GPU",
        fontsize="medium",
        parse_math=False,
    )
    panels = figure.subplots(-(-len(found) // 3), 3, squeeze=False).ravel()
    for axes, each in zip(panels, found, strict=False):
        its = [row for row in rows if (row["system"], row["phase"]) == (each.system, each.phase)]
        _points(axes, its, each)
        axes.set_title(f"{each.system} {each.phase}, $r^2$ = {each.layers.r2:.3f}", fontsize="small")
        axes.set_xlabel(
            "tokens" if each.phase == PREFILL else f"sum over slots of max(tokens, {each.worth:.0f})", fontsize="small"
        )
        axes.set_ylabel("us", fontsize="small")
    for axes in panels[len(found) :]:
        axes.remove()
    lines = {name: line for axes in panels for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=len(lines), frameon=False)
    figure.savefig(path, dpi=130)


def _points(axes: Axes, rows: list[Row], each: Fitted) -> None:
    cases = dict.fromkeys(row["case"] for row in rows)
    for case, (colour, marker) in zip(cases, (*STYLES, ("#56B4E9", "x")), strict=False):
        its = [row for row in rows if row["case"] == case]
        style: dict[str, Any] = {"color": colour, "marker": marker, "fillstyle": "none", "linestyle": ""}
        x = [busiest(row, each.worth) for row in its]
        axes.plot(x, [1e6 * rest(row) for row in its], label=case, markersize=4, **style)
    for tokens, start in each.layers.starts.items():
        x = [busiest(row, each.worth) for row in rows if row["tokens"] == tokens]
        ends = np.array([min(x), max(x)])
        axes.plot(ends, 1e6 * (start + each.layers.slope * ends), color="grey", linewidth=1)
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize="x-small")
