"""The tables: few moves, samples, and what they cost."""

from rich.console import Group
from rich.text import Text

from benchmarks.moves.cost import MOVED, WANTED, Cost
from benchmarks.moves.measuring import Found, Row
from benchmarks.moves.sampling import Brought
from eplb_xp.cli.output.tables import new_table

MOVES_NOTES = """\
mean GPU load / busiest GPU's load on the loads that came, mean over layers (worst layer), of a plan of policy joint for
those that were: kept, changed by so many moves, and made anew, by policy joint with GPUs relabelled and as EPLB does"""
SAMPLES_NOTES = """\
balance on the window after the one planned for, mean over layers and windows; by step: of each of its steps"""
COST_NOTES = """\
58 layers, drift 0.1, under jit on a CPU, process time, both in turn in one run; memory beyond the plan"""


def moves(rows: list[Row]) -> Group:
    """A row for each budget of each load."""
    cells = new_table(
        *("load and\nreplicas / GPUs", "\nkept", "may\nmove", "\nmoved", "\nbalance", "\nwanted"),
        *("fresh\njoint", "\nmoved", "fresh\nEPLB", "\nmoved"),
    )
    for row in rows:
        for number, (wanted, found) in enumerate(row.budgets):
            first = number == 0
            cells.add_row(
                f"{row.case}, {row.size}" if first else "",
                _balance(row.kept) if first else "",
                f"{wanted.moved:.0%}",
                f"{found.moved:.1%}",
                _balance(found),
                f"{wanted.reach:g} / {wanted.aim:g}",
                *((f"{row.joint.mean:.4f}", f"{row.joint.moved:.0%}") if first else ("", "")),
                *((f"{row.eplb.mean:.4f}", f"{row.eplb.moved:.0%}") if first else ("", "")),
                style="red" if found.mean < wanted.reach else "",
            )
    return Group(cells, Text(MOVES_NOTES, style="dim"))


def samples(rows: list[Brought]) -> Group:
    """A row for each trace."""
    cells = new_table(
        "trace and\nreplicas / GPUs",
        "\nsamples",
        "of the\nsum",
        "of\nsamples",
        "\nmore",
        "with a\nhalf-life",
        "\nwanted",
        "by step,\nsum",
        "\nsamples",
    )
    for row in rows:
        more = row.samples - row.mean
        cells.add_row(
            f"{row.trace.name}, {row.trace.size}",
            str(row.trace.number),
            f"{row.mean:.4f}",
            f"{row.samples:.4f}",
            f"{more:+.4f}",
            f"{row.recent - row.mean:+.4f} ({row.trace.half_life:g})",
            f"{row.trace.wanted[0]:g} / {row.trace.wanted[1]:g}",
            f"{row.mean_by_step:.4f}",
            f"{row.samples_by_step:.4f}",
            style="red" if more < row.trace.wanted[0] else "",
        )
    return Group(cells, Text(SAMPLES_NOTES, style="dim"))


def costs(rows: list[Cost]) -> Group:
    """A row for each size."""
    cells = new_table(
        "replicas / GPUs",
        f"{MOVED:.0%} moves,\nms",
        "joint,\nms",
        "\nratio",
        "\nwanted",
        "compiling,\ns",
        "joint's,\ns",
        "\nMiB",
    )
    for number, row in enumerate(rows):
        cells.add_row(
            str(row.size),
            f"{1e3 * row.follow:.0f}",
            f"{1e3 * row.joint:.0f}",
            f"{row.ratio:.1f}",
            f"{WANTED[0]:g} / {WANTED[1]:g}" if number == 0 else "",
            f"{row.compile_follow:.1f}",
            f"{row.compile_joint:.1f}",
            f"{row.beyond_plan / 2**20:.1f}",
        )
    return Group(cells, Text(COST_NOTES, style="dim"))


def markdown(rows: list[Row]) -> str:
    """Few moves: a row for each budget of each load."""
    lines = [
        [
            "load, replicas / GPUs",
            "plan kept",
            "may move",
            "balance (worst)",
            "fresh joint (moved)",
            "fresh EPLB (moved)",
        ]
    ]
    lines.append(["---"] * len(lines[0]))
    for row in rows:
        for wanted, found in row.budgets:
            fresh = [f"{each.mean:.3f} ({each.moved:.0%})" for each in (row.joint, row.eplb)]
            lines.append(
                [f"{row.case}, {row.size}", f"{row.kept.mean:.3f}", f"{wanted.moved:.0%}", _balance(found), *fresh]
            )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _balance(found: Found) -> str:
    return f"{found.mean:.4f} ({found.worst:.3f})"
