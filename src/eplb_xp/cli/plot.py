"""The comparison as a picture: GPU load per layer before and after, and the balancedness of both."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from eplb_xp.cli.comparison import Measured
from eplb_xp.cli.errors import UserError
from eplb_xp.cli.files import Loads
from eplb_xp.cli.planning import Numbers, Request

COLOURS = ("tab:red", "tab:blue")  # contiguous, plan


def write_plot(path: Path, loads: Loads, request: Request, before: Measured, after: Measured) -> None:
    """Draw the comparison into a file; no display is needed."""
    try:
        draw(loads, request, before, after).savefig(path, dpi=150)
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from error


def draw(loads: Loads, request: Request, before: Measured, after: Measured) -> Figure:
    """Heat maps of the GPU loads side by side on one scale, then a line of balancedness for each."""
    layers = len(loads.load)
    figure = Figure(figsize=(13, min(3.6 + 0.1 * layers, 9.5)), layout="constrained")
    figure.suptitle(f"{loads.title}\n{request}", parse_math=False)
    *maps, lines = figure.subplots(1, 3, sharey=True, width_ratios=(4, 4, 3))

    most = max(2.0, *(float(_relative(placed).max()) for placed in (before, after)))
    images = [_heat_map(axes, placed, most, request) for axes, placed in zip(maps, (before, after), strict=True)]
    powers = 2.0 ** np.arange(-int(np.log2(most)), int(np.log2(most)) + 1)
    bar = figure.colorbar(
        images[0], ax=maps, location="bottom", aspect=50, shrink=0.7, extend="min", ticks=powers, format="%g"
    )
    bar.minorticks_off()
    bar.set_label("load of the GPU / mean GPU load of its layer")
    maps[0].set_ylabel("layer")
    maps[0].yaxis.set_major_locator(_whole_numbers())

    for placed, colour in zip((before, after), COLOURS, strict=True):
        lines.plot(placed.balancedness, np.arange(layers), color=colour, label=placed.name, marker=".")
    lines.set_xlim(0, 1.02)
    lines.set_xlabel("balancedness of the layer (1 is even)")
    lines.grid(alpha=0.3)
    lines.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, ncols=2)
    return figure


def _heat_map(axes: Axes, placed: Measured, most: float, request: Request) -> AxesImage:
    norm = LogNorm(1 / most, most)  # the layer's mean is in the middle, and white
    shown = np.maximum(_relative(placed), 1 / most)  # zero has no logarithm
    image = axes.imshow(shown, cmap="RdBu_r", norm=norm, aspect="auto", interpolation="nearest")
    axes.set_title(f"{placed.name}: mean balancedness {placed.balancedness.mean():.3f}")
    axes.set_xlabel("GPU, lines between nodes" if request.keeps_groups else "GPU")
    axes.xaxis.set_major_locator(_whole_numbers())
    if request.keeps_groups:
        for node in range(1, request.num_nodes):
            axes.axvline(node * request.num_gpus / request.num_nodes - 0.5, color="black", linewidth=0.8)
    return image


def _relative(placed: Measured) -> Numbers:
    """GPU loads as multiples of their layer's mean, so that layers compare; 1 in a layer without load."""
    mean = placed.gpu_load.mean(axis=1, keepdims=True)
    return np.where(mean == 0, 1, placed.gpu_load / np.where(mean == 0, 1, mean))


def _whole_numbers() -> MaxNLocator:
    return MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 4, 8, 10])
