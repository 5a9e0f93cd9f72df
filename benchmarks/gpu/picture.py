"""The picture of plans on the GPU: time against layers, experts and GPUs."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.gpu.cases import GROWING, NUMBERS, Case, Section
from benchmarks.gpu.found import Found, Times
from eplb_xp.cli.output.pictures import STYLES

STYLE = dict(zip(GROWING, STYLES, strict=False))


def write(path: Path, chosen: list[Section], found: Found, gpu: str) -> None:
    """A panel for each axis, all of one scale."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    figure.suptitle(f"{gpu}: 58 layers, 256 experts, 32 GPUs, but for what grows", fontsize="medium", parse_math=False)
    panels = figure.subplots(1, len(NUMBERS), sharey=True)
    for axes, axis in zip(panels, NUMBERS, strict=True):
        _lines(axes, axis, _cases(chosen, axis), found)
    panels[0].set_ylabel("time of a plan, us")
    shown = {name: line for axes in panels for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    if shown:
        names = list(shown)
        figure.legend(list(shown.values()), names, loc="outside lower center", ncols=len(names), frameon=False)
    figure.savefig(path, dpi=150)


def _cases(chosen: list[Section], axis: str) -> list[Case]:
    cases = [case for section in chosen if section.axis == axis for case in section.cases]
    return [case for case in cases if isinstance(case, Case)]


def _lines(axes: Axes, axis: str, cases: list[Case], found: Found) -> None:
    for policy, (colour, marker) in STYLE.items():
        points = []
        for case in cases:
            taken = found.times[case, "graph"]
            if case.policy == policy and isinstance(taken, Times):
                points.append((getattr(case, axis.lower()), taken.median))
        if points:
            style: dict[str, Any] = {"color": colour, "marker": marker, "fillstyle": "none", "linewidth": 1}
            axes.plot(*zip(*points, strict=True), **style, label=policy)
    numbers = NUMBERS[axis]
    axes.set(xscale="log", yscale="log", xlabel=axis, xlim=(numbers[0] / 1.3, numbers[-1] * 1.3))
    axes.set_xticks(numbers, map(str, numbers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelsize="x-small")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.grid(alpha=0.3)
