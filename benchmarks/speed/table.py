"""The table of times."""

from typing import Any

from rich.console import Group
from rich.text import Text

from eplb_xp.cli.output.tables import new_table

MOST_SPREAD = 1.2

NOTES = """\
ratio: median time / that of the baseline, a NumPy loop over items, timed in turn with it
reach, aim: ratios that must be reached, and that are aimed at"""


def table(timed: list[tuple[float, dict[str, Any]]]) -> Group:
    """A row for each policy, route and library: median seconds, and what else is known of it."""
    rows = new_table("policy", "route", "library", "loads", "ms", "baseline\nms", "ratio", "reach", "aim", "")
    for seconds, info in timed:
        numbers = [f"{1e3 * value:.3g}" for value in (seconds, info["baseline_median"])] + [f"{info['ratio']:.3g}"]
        rows.add_row(
            info["policy"],
            info["route"],
            info["library"],
            info["family"],
            *numbers,
            *_judged(info["ratio"], info["target"]),
        )
    notes = Text("\n")
    missed = sum(info["target"] is not None and info["ratio"] > info["target"]["reach"] for _, info in timed)
    if missed:
        notes.append(f"{missed} missed what must be reached\n", style="red")
    if (spread := _spread(timed)) > MOST_SPREAD:
        notes.append(f"the machine was busy: the baseline's time varied by a factor of {spread:.1f}\n", style="yellow")
    return Group(rows, notes.append(NOTES, style="dim"))


def markdown(timed: list[tuple[float, dict[str, Any]]]) -> str:
    """The same as lines of a page."""
    lines = [["policy", "route", "library", "loads", "ms", "baseline, ms", "ratio", "reach", "aim"], ["---"] * 9]
    for seconds, info in timed:
        names = [info["policy"], info["route"], info["library"], info["family"]]
        numbers = [f"{1e3 * seconds:.3g}", f"{1e3 * info['baseline_median']:.3g}", f"{info['ratio']:.3g}"]
        target = info["target"]
        wanted = [f"{target[name]:g}" for name in ("reach", "aim")] if target else ["", ""]
        lines.append(names + numbers + wanted)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _spread(timed: list[tuple[float, dict[str, Any]]]) -> float:
    """By how much the baseline's time varied, though its work is the same each time."""
    times: dict[str, list[float]] = {}
    for _, info in timed:
        times.setdefault(info["route"], []).append(info["baseline_median"])
    return max(max(of_route) / min(of_route) for of_route in times.values())


def _judged(ratio: float, target: dict[str, float] | None) -> tuple[str | Text, ...]:
    if target is None:
        return "", "", ""
    reach, aim = target["reach"], target["aim"]
    verdict = Text("missed", style="red") if ratio > reach else Text("aim" if ratio <= aim else "reach", style="green")
    return f"{reach:g}", f"{aim:g}", verdict
