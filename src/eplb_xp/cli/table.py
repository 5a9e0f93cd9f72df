"""The comparison for a terminal of 80 columns."""

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from eplb_xp.cli.comparison import Measured
from eplb_xp.cli.files import Loads
from eplb_xp.cli.planning import Numbers, Request, TimedPlan

NOTES = """\
contiguous: without EPLB, experts in order over the GPUs, one replica each
balancedness: mean GPU load / busiest GPU's load, 1 is even
gap: busiest GPU's load / lower bound of all plans of these sizes - 1"""


def table(loads: Loads, request: Request, timed: TimedPlan, before: Measured, after: Measured) -> Group:
    """Both placements, measured."""
    layers, experts = loads.load.shape
    head = Text(f"{loads.title}\n", style="bold")
    head.append(f"{layers} layers x {experts} experts, {loads.load.sum():,.0f} tokens\n{request}", style="not bold")
    rows = Table(box=box.SIMPLE_HEAD)
    rows.add_column("")
    rows.add_column(before.name, justify="right")
    rows.add_column(after.name, justify="right", style="bold")
    both = (before, after)
    rows.add_row("balancedness, mean", *(f"{m.balancedness.mean():.4f}" for m in both))
    rows.add_row("balancedness, worst layer", *(_at(m.balancedness, m.balancedness.argmin(), ".4f") for m in both))
    rows.add_row("gap, mean", *(f"{m.gap.mean():.2%}" for m in both))
    rows.add_row("gap, worst layer", *(_at(m.gap, m.gap.argmax(), ".2%") for m in both))
    rows.add_row("replicas", *(str(m.replicas) for m in both))
    rows.add_row("replicas a GPU", *(_each(m.replicas, request.num_gpus) for m in both))
    rows.add_row("doubled replicas, all layers", *(str(m.doubled) for m in both))
    rows.add_row(f"planning time, {request.backend}", "-", _duration(timed.planning_time))
    rows.add_row("planning time, first call", "-", _duration(timed.first_call))
    return Group(head, rows, Text(NOTES, style="dim"))


def _at(values: Numbers, layer: np.intp, form: str) -> str:
    return f"{values[layer]:{form}} (layer {layer})"


def _each(replicas: int, num_gpus: int) -> str:
    each, more = divmod(replicas, num_gpus)
    return f"{each} or {each + 1}" if more else f"{each}"


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.2f} ms"
