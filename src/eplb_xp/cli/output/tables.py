"""Tables for a terminal of 80 columns."""

from collections.abc import Iterable

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from eplb_xp.cli.comparison import Comparison, Measured
from eplb_xp.cli.files import Loads
from eplb_xp.cli.judging import Judged
from eplb_xp.cli.planning import Numbers

WORST = 5  # layers that are named

NOTES = """
contiguous: without EPLB, experts in order over the GPUs, one replica each
balancedness: mean GPU load / busiest GPU's load, 1 is even
gap: busiest GPU's load / lower bound of all plans of these sizes - 1
doubled: replicas beyond the first of an expert on one GPU, in all layers"""


def comparison(compared: Comparison) -> Group:
    """A row for each placement."""
    rows = _placements(compared.placements, timed=True)
    return Group(heading(compared.loads, str(compared.layout)), rows, Text(NOTES, style="dim"))


def judged(found: Judged) -> Group:
    """A row for each placement and for the prediction; the worst layers, and how the plan does over time."""
    compared = found.comparison
    rows = _placements(compared.placements, timed=False)
    if found.predicted is not None:
        rows.add_row("predicted", f"{found.predicted.mean():.4f}", _worst(found.predicted), "", "", "")
    balancedness = compared.placements[1].balancedness
    order = np.argsort(balancedness, stable=True)[:WORST]
    worst = ", ".join(f"{layer} ({balancedness[layer]:.4f})" for layer in order)
    notes = Text(f"\nworst layers: {worst}\n")
    if len(found.over_time) > 1:
        step, layer = np.unravel_index(found.over_time.argmin(), found.over_time.shape)
        notes.append(
            f"over {len(found.over_time)} steps: balancedness mean {found.over_time.mean():.4f}, "
            f"worst {found.over_time[step, layer]:.4f} (step {step}, layer {layer})\n"
        )
    notes.append(NOTES, style="dim")
    if found.predicted is not None:
        notes.append("\npredicted: on the loads that the plan was made for", style="dim")
    return Group(heading(compared.loads, str(compared.layout)), rows, notes)


def heading(loads: Loads, what: str) -> Text:
    """What the loads are of, and what they are planned for."""
    layers, experts = loads.load.shape
    head = Text(f"{loads.title}\n", style="bold")
    return head.append(
        f"{layers} layers x {experts} experts, {loads.load.sum():,.0f} tokens\n{what}\n", style="not bold"
    )


def new_table(*columns: str) -> Table:
    """A table whose first column names the rows."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(column, justify="right" if table.columns else "left", no_wrap=True)
    return table


def percent(share: float) -> str:
    """Three digits or so: 0.004%, 0.02%, 12.3%, 456%."""
    return f"{share:.{3 if share < 0.0001 else 2 if share < 0.1 else 1 if share < 1 else 0}%}"


def _placements(placements: Iterable[Measured], *, timed: bool) -> Table:
    times = ("planning\ntime", "first\ncall") if timed else ()
    rows = new_table("", "balanced-\nness", "worst\n(layer)", "gap", "worst", "doubled", *times)
    for placed in placements:
        cells = [f"{placed.balancedness.mean():.4f}", _worst(placed.balancedness)]
        cells += [percent(placed.gap.mean()), percent(placed.gap.max()), str(placed.doubled.sum())]
        if timed:
            cells += ["-", "-"] if placed.times is None else map(_duration, reversed(placed.times))
        rows.add_row(placed.name, *cells)
    return rows


def _worst(balancedness: Numbers) -> str:
    layer = balancedness.argmin()
    return f"{balancedness[layer]:.4f} ({layer})"


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.9995 else f"{seconds * 1e3:.3g} ms"
