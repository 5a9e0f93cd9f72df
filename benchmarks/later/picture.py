"""The picture of what plans are worth later: a line for each load and size."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.later.measuring import Row
from eplb_xp.cli.output.scale import balance_axis, missing

# Each policy under equal and under the best shares; Okabe and Ito's colours.
LOOKS = {
    ("joint", "equal"): ("#D55E00", "o", "joint, equal shares: what engines have today"),
    ("joint", "best"): ("#E69F00", "D", "joint, best shares"),
    ("ring", "equal"): ("#56B4E9", "s", "ring, equal shares"),
    ("ring", "best"): ("#0072B2", "P", "ring, best shares"),
}


def write(path: Path, rows: list[Row]) -> None:
    """Balance on later steps, from what engines have today to what shares reach."""
    pairs = list(dict.fromkeys((row.load, row.size) for row in rows))
    figure = Figure(figsize=(9, 1.6 + 0.32 * len(pairs)), layout="constrained")
    axes = figure.subplots()
    drawn = []
    for (policy, which), (colour, marker, label) in LOOKS.items():
        values = {(row.load, row.size): getattr(row, which) for row in rows if row.policy == policy}
        line = missing(np.array([values[pair] for pair in pairs]))
        drawn.append(line)
        axes.plot(line, np.arange(len(pairs)), marker, color=colour, markersize=7, label=label)
    axes.hlines(np.arange(len(pairs)), np.min(drawn, axis=0), np.max(drawn, axis=0), color="#bbbbbb", zorder=0)
    axes.set_yticks(np.arange(len(pairs)), [f"{load}, {size}" for load, size in pairs])
    axes.invert_yaxis()
    balance_axis(axes, "x", "balancedness on the steps after those planned for (1 is even)", np.stack(drawn))
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(path, dpi=150)
