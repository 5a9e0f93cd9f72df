"""Tables of what was measured, for the screen and in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich.console import Group
from rich.text import Text

from benchmarks.moe.rows import Row
from benchmarks.moe.summary import CaseTimes, Fitted
from eplb_xp.cli.output.tables import new_table
from eplb_xp.simulation import Cost


class Table(NamedTuple):
    """Rows of text under a heading."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str


def of_cases(found: Iterable[CaseTimes], title: str) -> Table:
    """Layers: balance and times of each case."""
    rows = [
        (
            f"{each.system} {each.phase}",
            str(each.tokens),
            each.case,
            f"{each.balance:.3f}",
            _us(each.median),
            _us(each.late),
            _us(each.slots),
            f"{1e6 * each.saved:+,.0f}",
            f"{1e6 * each.predicted:+,.0f}",
        )
        for each in found
    ]
    columns = "system", "tokens", "case", "balance", "layer us", "95 %", "slots us", "saved us", "predicted"
    return Table(
        title,
        columns,
        rows,
        "tokens: of a rank; balance: tokens of the mean / busiest GPU in batches after those planned for; layer: the "
        "median of batches, slowest rank; slots: finding them, counts and shares included; saved: a layer, mean beside "
        "EPLB, and what the simulator's cost predicts of it",
    )


def of_fits(found: Iterable[Fitted]) -> Table:
    """What a GPU's products follow, and whole layers."""
    rows = [
        (
            f"{each.system} {each.phase}",
            *(f"{100 * line.error:.1f}" for line in each.products[:3]),
            f"{each.products.worth:.0f}",
            f"{1e9 * each.seconds_per_token:.0f}",
            f"{each.layers.r2:.3f}",
            f"{each.layers.slope / each.seconds_per_token:.2f}" if each.seconds_per_token else "-",
            ", ".join(_us(start) for start in each.layers.starts.values()),
        )
        for each in found
    ]
    columns = "system", "off by tokens %", "by slots %", "by both %", "worth", "ns a token", "r2", "slope", "start us"
    return Table(
        "what time follows",
        columns,
        rows,
        "off: a GPU's products beside a line over its tokens, its slots that have some, and the sum over these of "
        "max(tokens, worth), the median; a token: the slope of the first in prefill, of the last in decode; r2: of "
        "layers, but for finding slots, against the busiest GPU's tokens (prefill) or that sum (decode), among batches "
        "of equally many tokens; slope: beside the products'; start: by tokens of a rank",
    )


def of_costs(found: dict[str, dict[str, float]], presets: dict[str, Cost]) -> Table:
    """What was measured, beside the preset of the GPU and the model."""
    fields = "seconds_per_token", "seconds_per_active_slot", "seconds_per_move", "seconds_per_share", "overlap"
    rows = [
        (
            system,
            *(
                _number(name, cost[name]) + f" ({_number(name, getattr(presets[system], name))})"
                if name in cost
                else "-"
                for name in fields
            ),
        )
        for system, cost in found.items()
    ]
    columns = "system", "ns a token", "us a slot", "us a move", "us for shares", "overlap"
    return Table("the cost that follows", columns, rows, "in brackets what the preset has")


def _number(name: str, value: float) -> str:
    if name == "overlap":
        return f"{value:.2f}"
    return f"{1e9 * value:.0f}" if name == "seconds_per_token" else f"{1e6 * value:.1f}"


def of_slots(rows: list[Row]) -> Table:
    """Finding slots, part by part."""
    names = "counts", "shares", "quotas", "route", "all", "turns"
    lines = [
        (f"{row['system']} {row['phase']}", str(row["tokens"]), *(f"{1e6 * row[f'{name}_s']:.1f}" for name in names))
        for row in rows
    ]
    return Table(
        "finding slots, us",
        ("system", "tokens", *names),
        lines,
        "each in a graph of its own, the slowest rank; counts: of all ranks, by all-gather; all: the four at once; "
        "turns: without shares",
    )


def of_moves(rows: list[Row]) -> Table:
    """Weights that travel, alone and beside steps."""
    lines = []
    for row in rows:
        longer = row["both_s"] - row["steps_s"]
        lines.append(
            (
                f"{row['system']}, layer {row['layer']}",
                f"{row['moved']}, {row['of_a_gpu']}",
                _us(row["alone_s"]),
                _us(row["alone_s"] / max(row["of_a_gpu"], 1)),
                f"{row['steps']} of {_us(row['steps_s'] / row['steps'])}",
                _us(longer),
                f"{1 - longer / row['alone_s']:.2f}",
            )
        )
    return Table(
        "a new plan",
        ("layer", "moved, of a GPU", "alone us", "an expert", "steps us", "longer by", "hidden"),
        lines,
        "of a GPU: that which sends or receives most; an expert: alone / those; steps: beside which they travel; "
        "hidden: what they don't wait for, as a part",
    )


def of_agreement(rows: list[Row]) -> Table:
    """Plans and shares on all ranks."""
    lines = [
        (
            f"{row['loads']:,} of {row['layers']} x {row['experts']}, {row['replicas']} / {row['gpus']}",
            f"{row['ranks']}, by {' and '.join(row['libraries'])}",
            str(row["differing"]),
            row["digest"][:16],
        )
        for row in rows
    ]
    columns = "loads", "ranks", "differ", "digest"
    return Table("do ranks agree?", columns, lines, "plans of three policies, and shares of a batch")


def shown(tables: Sequence[Table]) -> Group:
    """For the screen."""
    parts: list[Any] = []
    for table in tables:
        rows = new_table(*table.columns)
        for row in table.rows:
            rows.add_row(*row)
        parts += [Text(table.title, style="bold"), rows, Text(table.note + "\n", style="dim")]
    return Group(*parts)


def markdown(tables: Sequence[Table], taken: str) -> str:
    """The same, and what it was taken on."""
    text = [taken]
    for table in tables:
        rows = table.columns, ("---",) * len(table.columns), *table.rows
        lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        text.append(f"## {table.title}\n\n{lines}\n\n{table.note}")
    return "\n\n".join(text) + "\n"


def _us(seconds: float) -> str:
    return f"{1e6 * seconds:,.0f}"
