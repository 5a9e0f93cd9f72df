"""Tables of planners side by side: on a terminal, and in Markdown for the page."""

from collections.abc import Iterable
from itertools import groupby

from rich.console import Group
from rich.text import Text

from benchmarks.peers.behaviour import Behaviour
from benchmarks.peers.measuring import Row
from benchmarks.peers.summary import Summary, shared_by_all, summaries
from benchmarks.peers.trials import TRIALS
from eplb_xp.cli.output.tables import new_table

HEADS = ("planned for", "worst layer", "next window", "its steps", "moved", "ms, first", "ms, next")
NOTES = """\
balancedness, mean GPU load / busiest GPU's load, 1 is even: mean of the layers, and worst, of the window planned for;
of the next window as a whole, and of its steps, each for itself; moved: share of the slots, from the plan before
ms: a plan that follows none, and one that follows another, on one core"""


def table(rows: list[Row], behaviours: list[Behaviour], missing: list[str]) -> Group:
    """A row for each load, size and planner, then what each does in each trial, then what is missing."""
    cells = new_table("planner", *(head.replace(" ", "\n", 1) for head in HEADS))
    for (load, size), of_size in groupby(rows, key=lambda row: (row.load, row.size)):
        cells.add_row(Text(f"{load}, {size}", style="bold"))
        for row in of_size:
            cells.add_row(f"  {row.peer}", *([row.failed] if row.failed else _cells(row)))
    of_trials = new_table("planner", "trial", "outcome")
    of_trials.columns[1].justify = of_trials.columns[2].justify = "left"
    for peer, outcomes in behaviours:
        for number, (trial, outcome) in enumerate(zip(TRIALS, outcomes, strict=True)):
            of_trials.add_row("" if number else peer, trial.name, outcome.replace("**", ""))
    notes = "".join(f"\nmissing: {each}" for each in missing)
    return Group(cells, Text(NOTES, style="dim"), of_trials, Text(notes, style="yellow"))


def of_rows(rows: list[Row]) -> str:
    """A line for each load, size and planner."""
    lines = [["load, replicas / GPUs", "planner", *HEADS]]
    for row in rows:
        figures = [f"can't: {row.failed}", *[""] * (len(HEADS) - 1)] if row.failed else _cells(row)
        lines.append([f"{row.load}, {row.size}", row.peer, *figures])
    return _markdown(lines)


def of_summaries(rows: list[Row]) -> str:
    """A line for each planner."""
    lines = [["planner", *HEADS[:5], "time, first plan", "time, next plans"]]
    lines += [[each.peer, *_balances(each), _times(each.first), _times(each.seconds)] for each in summaries(rows)]
    names = [f"{load}, {size}" for load, size in shared_by_all(rows)]
    return f"{_markdown(lines)}\nMeans over {len(names)} loads and sizes: {'; '.join(names)}.\n"


def of_behaviours(behaviours: list[Behaviour]) -> str:
    """A line for each planner, a column for each trial."""
    return _markdown(
        [["planner", *(trial.name for trial in TRIALS)], *([each.peer, *each.outcomes] for each in behaviours)]
    )


def of_reasons(reasons: Iterable[tuple[str, str]]) -> str:
    """What isn't run, and why."""
    return _markdown([["not run", "because"], *([name, reason] for name, reason in reasons)])


def _markdown(lines: list[list[str]]) -> str:
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: Row) -> list[str]:
    return [*_balances(row), *("" if each is None else _short(1e3 * each) for each in (row.first, row.seconds))]


def _balances(found: Row | Summary) -> list[str]:
    figures = [found.planned, found.worst, found.later, found.steps]
    moved = "" if found.moved is None else f"{100 * found.moved:.0f} %"
    return [*("" if each is None else f"{each:.4f}" for each in figures), moved]


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{_short(ratio)}x"


def _short(number: float) -> str:
    """Two digits or more, and no exponent."""
    return f"{number:.0f}" if number >= 9.95 else f"{number:#.2g}"
