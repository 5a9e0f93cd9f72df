"""An axis of balancedness that tells 0.99 from 0.999: logarithmic in what is missing to 1."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from eplb_xp.cli.planning import Numbers

LEAST = 1e-5  # what is nearer to 1 is drawn at 1


def missing(balancedness: Numbers) -> Numbers:
    """What to draw for it."""
    return np.clip(1 - balancedness.astype(np.float64), LEAST, 1)


def balance_axis(axes: Axes, which: Literal["x", "y"], label: str, drawn: Numbers) -> None:
    """An axis for what is drawn, named by what is there, not by what is missing; 1 is to the right, or on top."""
    there = drawn[~np.isnan(drawn)]
    most = np.ceil(np.log10(there.max(initial=2 * LEAST)))
    least = min(np.floor(np.log10(there.min(initial=1))), most - 1)
    parts = (1, 2, 5) if most - least <= 2 else (1,)
    ticks = [10.0**power * part for power in np.arange(least, most) for part in parts]
    ticks.append(10.0**most if len(parts) > 1 or most < 0 else 0.5)  # 0 and 0.5 would touch 0.9
    names = ["1" if tick <= LEAST else f"{1 - tick:g}" for tick in ticks]
    limits = (10.0**most * 1.1, 10.0**least / 1.1)
    if which == "x":
        axes.set(xscale="log", xlim=limits, xlabel=label)
        axes.set_xticks(ticks, names)
    else:
        axes.set(yscale="log", ylim=limits, ylabel=label)
        axes.set_yticks(ticks, names)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
