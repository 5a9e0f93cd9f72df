"""What few moves keep of the balance, what all numbers of them buy, what samples bring, and what it costs.

``make bench-moves`` prints the tables and writes out/moves.json, out/moves.md and out/moves.png.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.moves import frontier_cost, frontier_table, frontiers, table
from benchmarks.moves.cases import CASES, Case
from benchmarks.moves.cost import SIZES, cost
from benchmarks.moves.far import far
from benchmarks.moves.measuring import row
from benchmarks.moves.sampling import TRACES, Trace, brought
from benchmarks.shared import machine, program
from benchmarks.shared.progress import progress
from eplb_xp.cli.errors import UserError

OUT = Path("out")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    *,
    seed: Annotated[int, typer.Option(min=0, help="The first of the loads that are not recorded.")] = 0,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Only loads with this in their name and sizes.")] = "",
) -> None:
    """Change plans by few moves, plan for samples, and time a change under jit."""
    cases = [case for case in CASES if _has(only, case)]
    traces = [trace for trace in TRACES if _has(only, trace)]
    if not cases and not traces:
        names = ", ".join(f"{case.name}, {case.size}" for case in (*CASES, *TRACES))
        raise UserError(f"no load has {only!r} in its name and sizes; there are {names}")
    named: list[Case | Trace] = [*cases, *traces]
    missing = [f"{each.name}, because there is no {each.file}" for each in named if not each.is_there]
    cases, traces = [case for case in cases if case.is_there], [trace for trace in traces if trace.is_there]
    sizes, frontier_sizes = ((), ()) if only else (SIZES, frontier_cost.SIZES)
    traced = [case for case in cases if len(case.wanted) > 1]  # of the smaller sizes
    pieces = len(cases) + len(traced) + len(traces) + len(sizes) + len(frontier_sizes) + (not only)
    with progress(pieces) as announce:
        rows, sampled, costs, bought, all_costs, across = [], [], [], [], [], []
        for case in cases:
            announce(f"{case.name}, {case.size}")
            rows.append(row(case, seed))
        for trace in traces:
            announce(f"samples of {trace.name}, {trace.size}")
            sampled.append(brought(trace, seed))
        for case in traced:
            announce(f"all moves of {case.name}, {case.size}")
            bought.append(frontiers.row(case, seed))
        if not only:
            announce("moves across nodes")
            across = far(seed)
        for size in sizes:
            announce(f"timing {size}")
            costs.append(cost(size))
        for size in frontier_sizes:
            announce(f"timing all moves, {size}")
            all_costs.append(frontier_cost.cost(size))
    console = Console(width=130)
    for shown in (table.moves(rows), table.samples(sampled), table.costs(costs)):
        console.print(shown)
    for shown in (frontier_table.bought(bought), frontier_table.far(across), frontier_table.costs(all_costs)):
        console.print(shown)
    for each in missing:
        console.print(f"missing: {each}", style="yellow")
    OUT.mkdir(exist_ok=True)
    document = {
        "machine": machine.describe(),
        "seed": seed,
        "moves": [
            each._asdict()
            | {name: getattr(each, name)._asdict() for name in ("kept", "eplb", "joint")}
            | {"size": str(each.size), "budgets": [wanted._asdict() | got._asdict() for wanted, got in each.budgets]}
            for each in rows
        ],
        "samples": [each._asdict() | {"trace": each.trace.name, "size": str(each.trace.size)} for each in sampled],
        "costs": [each._asdict() | {"size": str(each.size)} for each in costs],
        "frontiers": [
            {"case": each.case, "size": str(each.size), "budgets": [_figures(budget) for budget in each.budgets]}
            for each in bought
        ],
        "far": [each._asdict() | {"size": str(each.size)} for each in across],
        "frontier_costs": [each._asdict() | {"size": str(each.size)} for each in all_costs],
        "missing": missing,
    }
    (OUT / "moves.json").write_text(json.dumps(document, indent=1))
    (OUT / "moves.md").write_text(table.markdown(rows))
    if rows:
        from benchmarks.moves import picture  # noqa: PLC0415  matplotlib takes a while

        picture.write(OUT / "moves.png", rows)


def _figures(budget: frontiers.Bought) -> dict[str, Any]:
    return budget._asdict() | {"plan": budget.plan._asdict(), "frontier": budget.frontier._asdict()}


def _has(text: str, of: Case | Trace) -> bool:
    return text.lower() in f"{of.name}, {of.size}".lower()


def run(arguments: list[str] | None = None) -> None:
    """Run the command."""
    program.run(app, "bench-moves", arguments)


if __name__ == "__main__":
    run()
