"""The picture of what moves buy: balance against slots that move, and fresh plans far to the right."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eplb_xp.cli.buying import Bought, Figures
from eplb_xp.cli.output.scale import balance_axis, missing
from eplb_xp.cli.planning import Numbers

FRESH = ("s", "D")  # markers
SPENT = "*"
LARGE = 9


class Line(NamedTuple):
    """A figure of each plan, in one of Okabe and Ito's colours."""

    name: str
    colour: str
    dashes: str
    value: Callable[[Figures], float | None]


MEAN = Line("mean of the layers", "#0072B2", "-", lambda its: its.short.mean)
WORST = Line("worst layer", "#D55E00", "--", lambda its: its.short.worst)
LATER = Line("later steps, mean", "#009E73", ":", lambda its: its.later)


def bought(found: Bought) -> Figure:
    """Two panels of one height: few moves, as lines, and all that fresh plans move, as points."""
    figure = Figure(figsize=(9, 5.8), layout="constrained")
    figure.suptitle(f"{found.loads.title}\n{found.layout}", parse_math=False)
    few, fresh = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    lines = (MEAN, WORST) if found.judged is None else (MEAN, WORST, LATER)

    def points(axes: Axes, figures: Figures, marker: str, name: str) -> None:
        for line in lines:
            axes.plot(*_drawn(found, line, [figures]), marker, color=line.colour, markersize=LARGE)
        few.plot([], [], marker, color="grey", markersize=LARGE, label=name)

    for line in lines:
        look = {"color": line.colour, "linestyle": line.dashes, "label": line.name}
        few.plot(*_drawn(found, line, found.numbers), "o", markersize=3, **look)
    if found.spent is not None:
        points(few, found.spent.figures, SPENT, f"{found.spent.total} moves, divided")
    for (name, figures), marker in zip(found.named, FRESH, strict=True):
        points(fresh, figures, marker, name)
    plans = [*found.numbers, *(figures for _, figures in found.named)]
    balance_axis(
        few, "y", "balancedness (1 is even)", np.concatenate([_drawn(found, each, plans)[1] for each in lines])
    )
    few.set(xlabel="slots that receive another expert, %", title="few moves")
    few.margins(x=0.02)
    fresh.set(xlabel="slots, %", title="fresh plans", xlim=(0, 105))
    fresh.tick_params(labelleft=False)
    fresh.grid(alpha=0.3)
    figure.legend(*few.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _drawn(found: Bought, line: Line, plans: Sequence[Figures]) -> tuple[Numbers, Numbers]:
    """Where a figure of each of the plans is."""
    moved = [100 * float(each.slots.mean()) / found.layout.num_replicas for each in plans]
    return np.array(moved), missing(np.array([line.value(each) for each in plans], np.float64))  # None is NaN
