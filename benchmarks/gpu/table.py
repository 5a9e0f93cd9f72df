"""The table of plans on the GPU, for the screen and in Markdown."""

from typing import Any

from rich.console import Group
from rich.text import Text

from benchmarks.gpu.batches import JUDGED, NODES, PLANNED, PRESET
from benchmarks.gpu.cases import Section, Work
from benchmarks.gpu.following import DRIFT
from benchmarks.gpu.found import Found, Missing, Times
from benchmarks.gpu.loads import SETS, TURNS
from benchmarks.gpu.targets import PUBLISHED, Target, met, target
from eplb_xp.cli.output.tables import new_table

COLUMNS = (
    "case",
    "median\nus",
    "\nquartiles",
    "slowest\nset",
    "\nlaunches",
    "to the\ngraph",
    "\nreach",
    "\naim",
    "\nmet",
    "\npublished",
    "\nx",
)
MET = COLUMNS.index("\nmet")
STYLES = {"aim": "green", "reach": "green", "missed": "red"}

NOTES = f"""\
case: policy and route, layers x experts, replicas / GPUs; hierarchical: 8 groups, 4 nodes
following: a tenth of the slots may move, loads have drifted by {DRIFT} since policy joint made the plan in use
shares, route: {JUDGED} steps of {PRESET} in turn, after {PLANNED} that policy ring planned from; to 2^-10 where matched
quotas: the tokens of one step, from other ranks each time, on {NODES} nodes
route: tokens x choices of a layer, replicas / GPUs
in a CUDA graph: between events around a replay, with a GPU that is busy before it; {SETS} sets of loads in turn
slowest set: the median of that one's replays
called from Python: until the GPU has the plan; reach is the graph's median + 60 us
inside jax.jit: a program of {TURNS * SETS} plans, divided by that; reach is 1.3 times the graph's median
launches: kernels, copies and memsets of one call, as torch.profiler counts them
published: for the vectorised torch code of vLLM on an H200, and by UltraEP; x: that / the median, met from 1 on"""


def table(chosen: list[Section], found: Found) -> Group:
    """A row for each case of each section, then why rows are missing."""
    rows = new_table(*COLUMNS)
    reasons: list[str] = []
    missed = 0
    for section in chosen:
        rows.add_row(Text(section.title, style="bold"))
        for cells in _lines(section, found, reasons):
            missed += cells[MET] == "missed"
            rows.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in cells))
        rows.add_row()
    notes = Text(_footnotes(reasons), style="yellow")
    verdict = Text(f"{missed} missed what must be reached" if missed else "", style="red")
    return Group(rows, notes, verdict, Text(NOTES, style="dim"))


def markdown(chosen: list[Section], found: Found, machine: dict[str, Any], date: str) -> str:
    """The same, and what it was taken on."""
    reasons: list[str] = []
    lines = [tuple(name.strip().replace("\n", " ") for name in COLUMNS), ("---",) * len(COLUMNS)]
    for section in chosen:
        lines.append((f"**{section.title}**", *[""] * (len(COLUMNS) - 1)))
        lines += _lines(section, found, reasons)
    versions = [f"{name} {version or 'not installed'}" for name, version in machine["versions"].items()]
    taken_on = f"{machine['gpu']}, driver {machine['driver'] or 'unknown'}, CUDA {machine['cuda']}"
    taken_with = ", ".join([f"Python {machine['python']}", *versions])
    rows = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    notes = "".join(f"- {note}\n" for note in (_footnotes(reasons) + NOTES).splitlines())
    return f"{rows}\nTaken on {date} on {taken_on}, with {taken_with}.\n\n{notes}"


def _lines(section: Section, found: Found, reasons: list[str]) -> list[tuple[str, ...]]:
    return [_cells(section, case, found, reasons) for case in section.cases]


def _cells(section: Section, case: Work, found: Found, reasons: list[str]) -> tuple[str, ...]:
    taken, graph = found.times[case, section.way], found.times.get((case, "graph"))
    if isinstance(taken, Missing):
        return str(case), "-", f"not measured {_number(taken.reason, reasons)}", *[""] * (len(COLUMNS) - 3)
    launches = found.launches.get(case, ()) if section.way == "graph" else ()
    cells = (
        str(case),
        _short(taken.median),
        f"{_short(taken.lower)} to {_short(taken.upper)}",
        "" if taken.slowest is None else _short(taken.slowest),
        _number(launches.reason, reasons) if isinstance(launches, Missing) else str(len(launches) or ""),
        _beside(section.way, taken, graph),
    )
    if section.axis is not None:
        return *cells, *[""] * (len(COLUMNS) - len(cells))
    return *cells, *_judged(taken.median, target(case, section.way, graph)), *_published(section.way, case, taken)


def _judged(median: float, wanted: Target | None) -> tuple[str, str, str]:
    if wanted is None:
        return "", "", ""
    return _short(wanted.reach), "" if wanted.aim is None else _short(wanted.aim), met(median, wanted)


def _published(way: str, case: Work, taken: Times) -> tuple[str, str]:
    known = PUBLISHED.get(case)
    if known is None or way == "jax":
        return "", ""
    most = "" if known.most == known.least else f" to {_short(known.most)}"
    return f"{known.by} {_short(known.least)}{most}", _short(known.least / taken.median)


def _beside(way: str, taken: Times, graph: Times | Missing | None) -> str:
    if way == "graph" or not isinstance(graph, Times):
        return ""
    return f"{taken.median - graph.median:+.0f}" if way == "eager" else f"{taken.median / graph.median:.2f} x"


def _number(reason: str, reasons: list[str]) -> str:
    """The number of a footnote."""
    if reason not in reasons:
        reasons.append(reason)
    return f"[{reasons.index(reason) + 1}]"


def _footnotes(reasons: list[str]) -> str:
    return "".join(f"[{number}] not measured: {reason}\n" for number, reason in enumerate(reasons, 1))


def _short(number: float) -> str:
    """Three digits or more, and no exponent."""
    return f"{number:,.0f}" if number >= 99.5 else f"{number:.3g}"
