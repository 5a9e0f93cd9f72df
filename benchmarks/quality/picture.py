"""The picture of quality: the gaps that each policy leaves, size by size."""

from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.quality.measuring import Row
from eplb_xp.cli.output.pictures import STYLES

LEAST = 1e-4  # per cent; what is less is drawn there


def write(path: Path, rows: list[Row]) -> None:
    """For each size and policy a dot for each load, and their median."""
    sizes = sorted({(row.experts, row.size) for row in rows})
    policies = list(dict.fromkeys(row.policy for row in rows))
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for number, (policy, (colour, marker)) in enumerate(zip(policies, cycle(STYLES), strict=False)):
        shift = (number - (len(policies) - 1) / 2) * 0.8 / len(policies)  # beside each other
        for place, of in enumerate(sizes):
            of_size = [row for row in rows if (row.experts, row.size, row.policy) == (*of, policy)]
            gaps = [max(100 * row.mean_gap, LEAST) for row in of_size]
            axes.plot([place + shift] * len(gaps), gaps, ".", color=colour, alpha=0.35, markersize=5, linewidth=0)
            label = policy if place == 0 else None
            axes.plot(place + shift, np.median(gaps), marker, color=colour, markersize=6, linewidth=0, label=label)
    axes.set(yscale="log", ylabel="mean gap of a load's layers, %", xlim=(-0.5, len(sizes) - 0.5))
    axes.set_xticks(range(len(sizes)), [f"{experts}\n{size}".replace(", ", "\n") for experts, size in sizes])
    axes.set_xticks(np.arange(len(sizes) - 1) + 0.5, minor=True)
    axes.tick_params(axis="x", which="both", length=0, labelsize="small")
    axes.set_xlabel("experts, replicas / GPUs")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", alpha=0.3)
    axes.grid(axis="x", which="minor", alpha=0.3)
    figure.legend(
        loc="outside upper center", ncols=len(policies), frameon=False, title="dots: loads; marks: the median load"
    )
    figure.savefig(path, dpi=150)
