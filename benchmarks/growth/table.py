"""The tables of growth."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.growth.measuring import MAKERS, Cost, Found, Series, Skipped
from benchmarks.growth.sizes import AXES, along
from eplb_xp.cli.output.tables import new_table

MEBI = 2**20

NOTES = """\
plan: its three maps, with integers of 64 bits; JAX's have 32, so its plan is half as large
MiB: all arrays at the peak, the plan among them and the loads not; x: that / the plan in that library
baseline: the NumPy loop over items that speed is measured against"""


def table(found: Found) -> Group:
    """A table for each axis and policy, then why entries are missing."""
    parts: list[RenderableType] = []
    reasons: list[str] = []
    for axis in AXES:
        for policy in dict.fromkeys(series.policy for series, _ in found):
            libraries = [library for library in MAKERS if (Series(policy, library), AXES[axis][0]) in found]
            parts += [Text(f"{policy}, by {axis}", style="bold"), _table(found, axis, policy, libraries, reasons), ""]
    missing = "".join(f"\n[{number}] left out: {reason}" for number, reason in enumerate(reasons, 1))
    return Group(*parts, Text(NOTES + missing, style="dim"))


def _table(found: Found, axis: str, policy: str, libraries: list[str], reasons: list[str]) -> Table:
    columns = [column for library in libraries for column in (f"{library}\nms", "\nMiB", "\nx")]
    rows = new_table(f"\n{axis}", "\nreplicas", "plan\nMiB", *columns)
    for size in AXES[axis]:
        cells: list[str] = []
        for library in libraries:
            cells += _cells(found[Series(policy, library), size], reasons)
        rows.add_row(str(along(axis, size)), str(size.replicas), _short(8 * size.integers / MEBI), *cells)
    return rows


def _cells(cost: Cost | Skipped, reasons: list[str]) -> tuple[str, str, str]:
    if isinstance(cost, Skipped):
        if cost.reason not in reasons:
            reasons.append(cost.reason)
        return f"[{reasons.index(cost.reason) + 1}]", "", ""
    return _short(1e3 * cost.seconds), _short(cost.peak_bytes / MEBI), f"{cost.peak_bytes / cost.plan_bytes:.2f}"


def _short(number: float) -> str:
    """Three digits or so, and no exponent."""
    return f"{number:.0f}" if number >= 99.5 else f"{number:.3g}" if number >= 1 else f"{number:.2f}"
