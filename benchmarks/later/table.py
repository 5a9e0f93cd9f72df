"""The table of what plans are worth later."""

from itertools import groupby

from rich.console import Group
from rich.text import Text

from benchmarks.later.cases import Case
from benchmarks.later.measuring import Row
from eplb_xp.cli.output.tables import new_table

NOTES = """\
mean GPU load / busiest GPU's load, mean of layers and steps: of the steps that were planned for, and of those that
follow, replicas sharing equally, and by the best shares of each step, in whole tokens; wanted: best, ring"""


def table(rows: list[Row], missing: list[Case]) -> Group:
    """For each load and size a row for each policy; then the loads that are missing."""
    cells = new_table(
        "load and\nreplicas / GPUs", "\npolicy", "planned\nfor", "later,\nequal", "later,\nbest", "\nwanted"
    )
    cells.columns[1].justify = "left"
    for load, of_load in groupby(rows, key=lambda row: row.load):
        cells.add_row(Text(load, style="bold"))
        for size, of_size in groupby(of_load, key=lambda row: row.size):
            for number, row in enumerate(of_size):
                figures = (f"{value:.4f}" for value in (row.planned, row.equal, row.best))
                low = row.policy == "ring" and row.best < row.wanted
                wanted = f"{row.wanted:g}" if row.policy == "ring" else ""
                cells.add_row(
                    f"  {size}" if number == 0 else "", row.policy, *figures, wanted, style="red" if low else ""
                )
    notes = "".join(f"\nmissing: {case.name}, because there is no {case.file}" for case in missing)
    return Group(cells, Text(NOTES, style="dim"), Text(notes, style="yellow"))


def markdown(rows: list[Row]) -> str:
    """A row for each load and size: balance later, of each policy under equal and under the best shares."""
    policies = list(dict.fromkeys(row.policy for row in rows))
    heads = [f"{policy}, {shares}" for shares in ("equal shares", "best shares") for policy in policies]
    lines = [["load", "replicas / GPUs", *heads]]
    lines.append(["---"] * len(lines[0]))
    for (load, size), of_size in groupby(rows, key=lambda row: (row.load, row.size)):
        found = {row.policy: row for row in of_size}
        equal, best = ([f"{getattr(found[policy], which):.3f}" for policy in policies] for which in ("equal", "best"))
        lines.append([load, str(size), *equal, *best])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
