"""The picture of growth: time in the upper half, memory in the lower, a row of panels for each policy."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.growth.measuring import MAKERS, Cost, Found, Series
from benchmarks.growth.sizes import AXES, Size, along
from eplb_xp.cli.output.pictures import STYLES

STYLE = dict(zip(MAKERS, (("0.5", "x"), *STYLES[:3]), strict=True))
TIME = "time of a plan, ms"
MEMORY = "memory at the peak beyond the plan itself, bytes for each slot of each layer"


def write(path: Path, found: Found) -> None:
    """One scale for all times, one for all memory, so that rows compare."""
    policies = list(dict.fromkeys(series.policy for series, _ in found))
    figure = Figure(figsize=(10, 1.9 * 2 * len(policies) + 1), layout="constrained")
    figure.suptitle(f"{Size()}, but for what grows", fontsize="medium")
    grid = figure.add_gridspec(2 * len(policies), len(AXES))
    for block, title in enumerate((TIME, MEMORY)):
        shared: dict[str, Any] = {}
        for row, policy in enumerate(policies):
            for column, axis in enumerate(AXES):
                axes = figure.add_subplot(grid[block * len(policies) + row, column], **shared)
                shared = {"sharey": axes}
                _lines(axes, found, axis, policy, title)
                axes.tick_params(labelbottom=row == len(policies) - 1, labelleft=column == 0)
                if column == 0:
                    axes.set_ylabel(policy)
                    axes.set_title(title if row == 0 else "", loc="left", fontsize="medium")
                if row == len(policies) - 1:
                    axes.set_xlabel(axis)
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=len(names), frameon=False)
    figure.savefig(path, dpi=150)


def _lines(axes: Axes, found: Found, axis: str, policy: str, what: str) -> None:
    for number, (library, (colour, marker)) in enumerate(STYLE.items()):
        points = []
        for size in AXES[axis]:
            cost = found.get((Series(policy, library), size))
            if isinstance(cost, Cost):
                beyond = (cost.peak_bytes - cost.plan_bytes) / (size.layers * size.replicas)
                points.append((along(axis, size), 1e3 * cost.seconds if what == TIME else beyond))
        if points:
            # Smaller and smaller, so that none hides another.
            style: dict[str, Any] = {"marker": marker, "markersize": 8 - 1.5 * number, "fillstyle": "none"}
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1, label=library, **style)
    axes.set(xscale="log", yscale="log")
    numbers = [along(axis, size) for size in AXES[axis]]
    axes.set_xlim(numbers[0] / 1.3, numbers[-1] * 1.3)
    axes.set_xticks(numbers, map(str, numbers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.grid(alpha=0.3)
