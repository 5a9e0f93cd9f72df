"""The pictures of a comparison: GPU load per layer before and after, and the balancedness of each layer."""

from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from eplb_xp.cli.comparison import Comparison, Measured
from eplb_xp.cli.errors import writing
from eplb_xp.cli.files import Loads
from eplb_xp.cli.judging import Judged
from eplb_xp.cli.output.scale import balance_axis, missing
from eplb_xp.cli.planning import Numbers
from eplb_xp.cli.summary import four_digits, of_balancedness

# Okabe and Ito's colours, told apart by colour-blind people too; the markers differ as well.
STYLES = (("#D55E00", "o"), ("#0072B2", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#000000", "P"))


def write(path: Path, figure: Figure) -> None:
    """The picture in a file; no display is needed."""
    with writing(path):
        figure.savefig(path, dpi=150)


def comparison(compared: Comparison) -> Figure:
    """Heat maps of the GPU loads side by side on one scale, then a line of balancedness for each placement."""
    return _draw(compared)


def judged(found: Judged) -> Figure:
    """The comparison, the prediction and, where there are several steps, the plan's balancedness over them."""
    return _draw(found.comparison, found.predicted, found.over_time if len(found.over_time) > 1 else None)


def _draw(compared: Comparison, predicted: Numbers | None = None, over_time: Numbers | None = None) -> Figure:
    heights = [min(3.6 + 0.07 * len(compared.loads.load), 9)] + ([] if over_time is None else [2])
    figure = Figure(figsize=(13, sum(heights)), layout="constrained")
    figure.suptitle(f"{compared.loads.title}\n{compared.layout}", parse_math=False)
    maps = len(compared.placements)
    widths = [9 / maps] * maps + [4]
    grid = figure.add_gridspec(len(heights), len(widths), height_ratios=heights, width_ratios=widths)
    by_layer = [figure.add_subplot(grid[0, column]) for column in range(len(widths))]
    for axes in by_layer[1:]:
        axes.sharey(by_layer[0])
        axes.tick_params(labelleft=False)
    _heat_maps(figure, by_layer[:-1], compared)
    lines = [(placed.name, _shown(placed)) for placed in compared.placements]
    _lines(by_layer[-1], lines if predicted is None else [*lines, ("predicted", predicted)])
    if compared.placements[-1].later is not None:
        by_layer[-1].set_xlabel("balancedness later, best shares (1 is even)")
    if over_time is not None:
        _over_time(figure.add_subplot(grid[1, :]), over_time, compared.loads)
    return figure


def _heat_maps(figure: Figure, maps: list[Axes], compared: Comparison) -> None:
    most = max(2.0, *(float(_relative(placed).max()) for placed in compared.placements))
    images = [_heat_map(axes, placed, most, compared) for axes, placed in zip(maps, compared.placements, strict=True)]
    powers = 2.0 ** np.arange(-int(np.log2(most)), int(np.log2(most)) + 1)
    bar = figure.colorbar(
        images[0], ax=maps, location="bottom", aspect=50, shrink=0.7, extend="min", ticks=powers, format="%g"
    )
    bar.minorticks_off()
    later = compared.placements[-1].later
    what = "" if later is None else f", in the step after the {later.planned} that were planned for, equal shares"
    bar.set_label(f"load of the GPU / mean GPU load of its layer{what}")
    maps[0].set_ylabel("layer")
    maps[0].yaxis.set_major_locator(_whole_numbers())


def _heat_map(axes: Axes, placed: Measured, most: float, compared: Comparison) -> AxesImage:
    layout = compared.layout
    norm = LogNorm(1 / most, most)  # the layer's mean is in the middle, and white
    shown = np.maximum(_relative(placed), 1 / most)  # zero has no logarithm
    image = axes.imshow(shown, cmap="RdBu_r", norm=norm, aspect="auto", interpolation="nearest")
    axes.set_title(f"{placed.name}\n{_in_words(placed, compared.loads)}", fontsize="medium")
    axes.set_xlabel("GPU, lines between nodes" if layout.keeps_groups else "GPU")
    axes.xaxis.set_major_locator(_whole_numbers())
    if layout.keeps_groups:
        for node in range(1, layout.num_nodes):
            axes.axvline(node * layout.num_gpus / layout.num_nodes - 0.5, color="black", linewidth=0.8)
    return image


def _in_words(placed: Measured, loads: Loads) -> str:
    """Its balance, and later that of equal and of the best shares."""
    if placed.later is None:
        return f"balancedness {four_digits(of_balancedness(placed.balancedness, loads.busy).mean)}"
    equal, best = map(four_digits, placed.later.means)
    return f"later, equal {equal}\nbest shares {best}"


def _shown(placed: Measured) -> Numbers:
    """The balance of each layer: later, under the best shares, where that is known."""
    return placed.balancedness if placed.later is None else placed.later.best.mean(axis=0)


def _lines(axes: Axes, balancedness: list[tuple[str, Numbers]]) -> None:
    drawn = missing(np.stack([values for _, values in balancedness]))
    for (name, _), line, (colour, marker) in zip(balancedness, drawn, cycle(STYLES), strict=False):
        axes.plot(line, np.arange(len(line)), color=colour, marker=marker, markersize=3.5, linewidth=1, label=name)
    balance_axis(axes, "x", "balancedness of the layer (1 is even)", drawn)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, ncols=2)


def _over_time(axes: Axes, over_time: Numbers, loads: Loads) -> None:
    steps = np.arange(len(over_time))
    short = [of_balancedness(*step) for step in zip(over_time, loads.busy_over_time, strict=True)]
    mean, worst = drawn = missing(np.array([[each.mean, each.worst] for each in short], np.float64).T)  # None is NaN
    marker = "." if loads.idle_steps else None  # a step between two without tokens has no line
    axes.plot(steps, mean, color=STYLES[1][0], linewidth=1, marker=marker)
    axes.fill_between(steps, worst, mean, color=STYLES[1][0], alpha=0.2, linewidth=0)
    balance_axis(axes, "y", "balancedness", drawn)
    axes.set_title("the plan in each step: mean of the layers, shade down to the worst layer", fontsize="medium")
    axes.set_xlabel("step")
    axes.set_xlim(0, steps[-1])
    axes.xaxis.set_major_locator(_whole_numbers())


def _relative(placed: Measured) -> Numbers:
    """GPU loads as multiples of their layer's mean, so that layers compare; 1 in a layer without load.

    In the first of the later steps where there are some: a plan is even on what it was made for.
    """
    gpu_load = placed.gpu_load if placed.later is None else placed.later.gpu_load
    mean = gpu_load.mean(axis=1, keepdims=True)
    return np.where(mean == 0, 1, gpu_load / np.where(mean == 0, 1, mean))


def _whole_numbers() -> MaxNLocator:
    return MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 4, 8, 10])
