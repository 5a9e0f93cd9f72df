"""The picture of planners: what balance they reach for what they move."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.peers.summary import Summary
from eplb_xp.cli.output.scale import balance_axis, missing

# Okabe and Ito's colours; ours are filled.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MARKERS = "osD^vP*X"
OURS = "eplb-xp"


def write(path: Path, found: list[Summary]) -> None:
    """Balance on the window planned for and on the next one, against what is moved from plan to plan."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    counts = {True: 0, False: 0}
    for each in found:
        ours = each.peer.startswith(OURS)
        number = counts[ours]
        counts[ours] += 1
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        for axes, balance in zip(panels, (each.planned, each.later), strict=True):
            axes.plot(
                100 * each.moved,
                missing(np.array(balance)),
                marker,
                color=colour,
                markerfacecolor=colour if ours else "none",
                markersize=8 if ours else 7 + 1.5 * number,  # what is the same is seen around each other
                markeredgewidth=1.5,
                linewidth=0,
                label=each.peer if axes is panels[0] else None,
            )
    for axes, what in zip(panels, ("planned", "later"), strict=True):
        drawn = missing(np.array([getattr(each, what) for each in found]))
        label = "the window planned for" if what == "planned" else "the next window"
        balance_axis(axes, "y", f"balancedness on {label} (1 is even)", drawn)
        axes.set_ylim(1.6 * drawn.max(), drawn.min() / 1.6)
        axes.set(xlabel="slots moved from plan to plan, %", xlim=(-3, 100))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)
