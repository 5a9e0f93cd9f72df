"""The picture of what moves buy: balance against the share of the slots that moved, a panel for each load."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.moves.measuring import Row
from eplb_xp.cli.output.scale import balance_axis, missing

# Okabe and Ito's colours.
FEW, JOINT, EPLB = "#0072B2", "#D55E00", "#E69F00"


def write(path: Path, rows: list[Row]) -> None:
    """From the plan that is kept over few moves to fresh plans."""
    columns = min(len(rows), 4)
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * lines + 0.6), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True).flat
    drawn = missing(np.array([[each.mean for each in (row.kept, row.eplb, row.joint)] for row in rows]))
    for row, axes in zip(rows, panels, strict=False):
        few = [row.kept, *(found for _, found in row.budgets)]
        for found, look, colour, label in (
            (few, "o-", FEW, "few moves"),
            ([row.joint], "D", JOINT, "fresh, joint, relabelled"),
            ([row.eplb], "s", EPLB, "fresh, EPLB"),
        ):
            moved = [100 * each.moved for each in found]
            axes.plot(moved, missing(np.array([each.mean for each in found])), look, color=colour, label=label)
        axes.set_title(f"{row.case}, {row.size}", fontsize=9)
        axes.set_xlim(-4, 104)
        balance_axis(axes, "y", "", drawn)
    for axes in list(figure.axes)[len(rows) :]:
        axes.set_axis_off()
    figure.supxlabel("slots that received another expert, per cent")
    figure.supylabel("balance on the loads that came")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)
