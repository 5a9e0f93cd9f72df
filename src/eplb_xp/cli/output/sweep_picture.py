"""The picture of a sweep: balancedness against memory, a line for each number of GPUs."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from eplb_xp.cli.output.scale import balance_axis, missing
from eplb_xp.cli.summary import of_balancedness
from eplb_xp.cli.sweeping import Sweep


def swept(found: Sweep) -> Figure:
    """Mean balancedness, later where there are steps for that, and a ring around what is worth it."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    figure.suptitle(f"{found.loads.title}\npolicy {found.policy}", parse_math=False)
    axes = figure.subplots()
    experts = found.loads.load.shape[1]
    colours = colormaps["viridis"](np.linspace(0, 0.85, len(found.num_gpus)))  # ordered, as the numbers are

    def as_memory(replicas: Any) -> Any:
        return (replicas / experts - 1) * 100

    def as_replicas(memory: Any) -> Any:
        return (memory / 100 + 1) * experts

    all_drawn = []
    for num_gpus, colour in zip(found.num_gpus, colours, strict=True):
        results = sorted(found.on(num_gpus).items())
        replicas = [number for number, _ in results]
        short = [of_balancedness(each.balancedness, found.loads.busy) for _, each in results]
        if found.is_judged_later:
            pairs = [(found.balance(each), found.balance(each, best=True)) for _, each in results]
        else:
            pairs = [(each.mean, each.worst) for each in short]
        drawn = missing(np.array(pairs, np.float64))  # None is NaN
        all_drawn.append(drawn)
        axes.plot(replicas, drawn[:, 0], color=colour, marker="o", label=f"{num_gpus} GPUs")
        if found.is_judged_later:
            axes.plot(replicas, drawn[:, 1], color=colour, marker="s", linestyle="--", label=f"{num_gpus}, best shares")
        else:
            axes.fill_between(replicas, drawn[:, 1], drawn[:, 0], color=colour, alpha=0.12, linewidth=0)
        for column, best in ((0, False), (1, True)) if found.is_judged_later else ((0, False),):
            worth = found.worth(num_gpus, best=best)
            if worth is not None:
                at = drawn[replicas.index(worth), column]
                axes.plot(worth, at, "o", color=colour, markersize=13, fillstyle="none")
    label = "balancedness, mean of the layers\n(shade: down to the worst layer)"
    if found.is_judged_later:
        label = "balancedness on later steps, mean of layers and steps"
    balance_axis(axes, "y", label, np.concatenate(all_drawn))
    axes.set_xlabel("replicas")
    memory = axes.secondary_xaxis("top", functions=(as_memory, as_replicas))
    memory.set_xlabel("more memory for experts, %")
    axes.legend(loc="lower right", title="ring: worth its memory")
    return figure
