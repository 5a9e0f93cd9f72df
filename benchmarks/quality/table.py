"""The table of quality, and the mean gaps of it in Markdown."""

from itertools import groupby

from rich.console import Group
from rich.text import Text

from benchmarks.quality.loads import Load
from benchmarks.quality.measuring import Row
from benchmarks.quality.published import Published, published
from eplb_xp.cli.output.tables import new_table

NOTES = """\
gap: busiest GPU's load / lower bound of all plans of these sizes - 1, in per cent, over the layers
balance: mean GPU load / busiest GPU's load, mean of the layers; doubled: replicas, in all layers
ms: a plan under jax.jit on the CPU; x: that / greedy's
dim: other planners, for loads of the same kind but another draw, on another machine"""


def table(rows: list[Row], missing: list[Load]) -> Group:
    """For each load and size a row for each policy and for each published figure; then the loads that are missing."""
    cells = new_table(
        "load and\nreplicas / GPUs", "\npolicy", "mean\ngap", "worst\ngap", "\nbalance", "\ndoubled", "\nms", "\nx"
    )
    cells.columns[1].justify = "left"
    for load, of_load in groupby(rows, key=lambda row: row.load):
        cells.add_row(Text(load, style="bold"))
        for size, of_size in groupby(of_load, key=lambda row: row.size):
            lines = [_cells(row) for row in of_size]
            others = [_others(known) for known in published(load, size)]
            for number, line in enumerate(lines + others):
                first = f"  {size}" if number == 0 else ""
                cells.add_row(first, *line, style="" if number < len(lines) else "dim")
        cells.add_row()
    notes = "".join(f"\nmissing: {load.name}, because there is no {load.file}" for load in missing)
    return Group(cells, Text(NOTES, style="dim"), Text(notes, style="yellow"))


def markdown(rows: list[Row]) -> str:
    """The mean gaps: a row for each load and size, a column for each policy and for what EPLB is known to reach."""
    policies = list(dict.fromkeys(row.policy for row in rows))
    lines = [["load", "replicas / GPUs", *(f'`"{policy}"`' for policy in policies), "EPLB, published"]]
    lines.append(["---"] * len(lines[0]))
    for (load, size), of_size in groupby(rows, key=lambda row: (row.load, row.size)):
        gaps = {row.policy: percent(row.mean_gap) for row in of_size}
        eplb = [known.mean_gap for known in published(load, size) if known.planner == "EPLB"]
        known = "".join(percent(gap) for gap in eplb if gap is not None)
        lines.append([load, str(size), *(gaps[policy] for policy in policies), known])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def percent(share: float) -> str:
    """Two digits in per cent, and no exponent."""
    number = 100 * share
    return f"{number:.0f}" if number >= 9.95 else f"{number:#.2g}" if number >= 1e-4 else "<0.0001"


def _cells(row: Row) -> tuple[str, ...]:
    gaps = percent(row.mean_gap), percent(row.worst_gap)
    return row.policy, *gaps, f"{row.balancedness:.4f}", str(row.doubled), _short(1e3 * row.seconds), _short(row.ratio)


def _others(known: Published) -> tuple[str, ...]:
    gap = "" if known.mean_gap is None else percent(known.mean_gap)
    balancedness = "" if known.balancedness is None else f"{known.balancedness:.3f}"
    doubled = "" if known.doubled is None else str(known.doubled)
    milliseconds = "" if known.seconds is None else _short(1e3 * known.seconds)
    return f"{known.publisher}: {known.planner}", gap, "", balancedness, doubled, milliseconds, ""


def _short(number: float) -> str:
    """Three digits or more, and no exponent."""
    return f"{number:.0f}" if number >= 99.5 else f"{number:.3g}"
