"""Tables for a terminal of 80 columns."""

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from eplb_xp.cli.comparison import Comparison
from eplb_xp.cli.files import Loads
from eplb_xp.cli.judging import Judged
from eplb_xp.cli.output import moving
from eplb_xp.cli.summary import Summary, four_digits, of_balancedness, of_gap, percent

WORST = 5  # layers that are named

NOTES = """
contiguous: without EPLB, experts in order over the GPUs, one replica each
balancedness: mean GPU load / busiest GPU's load, 1 is even
gap: busiest GPU's load / lower bound of all plans of these sizes - 1
doubled: replicas beyond the first of an expert on one GPU, in all layers"""

PREVIOUS = """
previous: the plan in use, as it is
moved: weights that come from another GPU, or from none"""

SAMPLES = """
planned for {} samples of the steps; balancedness and gap are on their sum"""

HALF_LIFE = """
a step that is {:g} older than another counts half of it in the plan, not in the table"""

LATER = """
later: balancedness of a plan of the first {} steps in the {} that follow,
replicas sharing equally, and by the best shares of each step"""


def comparison(compared: Comparison) -> Group:
    """A row for each placement."""
    rows = _placements(compared, timed=True)
    notes = Text(idle_layers(compared.loads))
    if compared.moved is not None:
        notes.append(moving.lines(compared.moved))
    notes.append(NOTES, style="dim")
    if compared.moved is not None:
        notes.append(PREVIOUS, style="dim")
    if compared.counted.samples is not None:
        notes.append(SAMPLES.format(compared.counted.samples), style="dim")
    if compared.counted.half_life is not None:
        notes.append(HALF_LIFE.format(compared.counted.half_life), style="dim")
    later = compared.placements[-1].later
    if later is not None:
        notes.append(LATER.format(later.planned, len(later.equal)), style="dim")
    return Group(heading(compared.loads, str(compared.layout)), rows, notes)


def judged(found: Judged) -> Group:
    """A row for each placement and for the prediction; the worst layers, and how the plan does over time."""
    compared = found.comparison
    rows = _placements(compared, timed=False)
    if found.prediction is not None:
        rows.add_row("predicted", four_digits(found.prediction.mean), _worst(found.prediction), "", "", "")
    notes = Text(idle_layers(compared.loads))
    if compared.loads.busy.any():
        balancedness = compared.placements[1].balancedness
        order = np.argsort(np.where(compared.loads.busy, balancedness, np.inf), stable=True)[:WORST]
        named = [f"{layer} ({balancedness[layer]:.4f})" for layer in order if compared.loads.busy[layer]]
        notes.append(f"\nworst layers: {', '.join(named)}\n")
        if len(found.over_time) > 1:
            notes.append(_over_time(found, compared.loads))
    notes.append(NOTES, style="dim")
    if found.prediction is not None:
        notes.append("\npredicted: on the loads that the plan was made for", style="dim")
        if found.predicted_busy is not None and not found.predicted_busy.all():
            idle, layers = np.count_nonzero(~found.predicted_busy), len(found.predicted_busy)
            notes.append(f"; {idle} of {layers} layers left out", style="dim")
    return Group(heading(compared.loads, str(compared.layout)), rows, notes)


def idle_layers(loads: Loads) -> str:
    """A line on the layers that are left out, if there are any."""
    if not loads.idle_layers:
        return ""
    if loads.idle_layers == len(loads.load):
        return "\nno layer has tokens: there is nothing to balance\n"
    return f"\n{loads.idle_layers} of {len(loads.load)} layers without tokens: left out of means\n"


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


def _over_time(found: Judged, loads: Loads) -> str:
    """The plan over all steps, and how much is left out."""
    busy, balancedness = loads.busy_over_time, found.over_time
    step, layer = np.unravel_index(np.where(busy, balancedness, np.inf).argmin(), busy.shape)
    lines = (
        f"over {len(busy)} steps: balancedness mean {balancedness[busy].mean():.4f}, "
        f"worst {balancedness[step, layer]:.4f} (step {step}, layer {layer})\n"
        f"by the best shares of each step: mean {found.best_over_time[busy].mean():.4f}\n"
    )
    if loads.idle_steps:
        lines += f"{loads.idle_steps} of {len(busy)} steps without tokens: left out of means\n"
    for_a_while = np.count_nonzero(~busy[np.ix_(busy.any(axis=1), loads.busy)])
    if for_a_while:
        lines += f"other layers without tokens in single steps: {for_a_while}, left out of the mean over steps\n"
    return lines


def _placements(compared: Comparison, *, timed: bool) -> Table:
    times = ("planning\ntime", "first\ncall") if timed else ()
    later = compared.placements[-1].later is not None
    judged = ("later,\nequal", "later,\nbest", "gap") if later else ("worst\n(layer)", "gap", "worst")
    rows = new_table("", "balanced-\nness", *judged, "doubled", *times)
    for placed in compared.placements:
        balancedness = of_balancedness(placed.balancedness, compared.loads.busy)
        gap = of_gap(placed.gap, compared.loads.busy)
        if placed.later is None:
            cells = [four_digits(balancedness.mean), _worst(balancedness), percent(gap.mean), percent(gap.worst)]
        else:
            cells = [*map(four_digits, (balancedness.mean, *placed.later.means)), percent(gap.mean)]
        cells.append(str(placed.doubled.sum()))
        if timed:
            cells += ["-", "-"] if placed.times is None else map(_duration, reversed(placed.times))
        rows.add_row(placed.name, *cells)
    return rows


def _worst(balancedness: Summary) -> str:
    return "-" if balancedness.worst is None else f"{balancedness.worst:.4f} ({balancedness.worst_layer})"


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.9995 else f"{seconds * 1e3:.3g} ms"
