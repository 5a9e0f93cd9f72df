"""What plans are worth on later steps, under equal and under the best shares.

``make bench-quality`` runs it last: it prints the table and writes out/later.json, out/later.md and out/later.png.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.later import table
from benchmarks.later.cases import CASES
from benchmarks.later.measuring import rows
from benchmarks.shared import machine, program
from benchmarks.shared.progress import progress
from eplb_xp.cli.errors import UserError

OUT = Path("out")
POLICIES = ["joint", "ring"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Of the loads that are not recorded.")] = 0,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Only loads with this in their name.")] = "",
) -> None:
    """Plan from some steps, judge on those that follow."""
    named = [case for case in CASES if only.lower() in case.name.lower()]
    if not named:
        raise UserError(f"no load has {only!r} in its name; there are {', '.join(case.name for case in CASES)}")
    cases = [case for case in named if case.is_there]
    missing = [case for case in named if not case.is_there]
    found = []
    with progress(sum(len(case.wanted) for case in cases)) as announce:
        for case in cases:
            for size in case.wanted:
                announce(f"{case.name}, {size}")
                found += rows(case, size, POLICIES, seed)
    Console(width=110).print(table.table(found, missing))
    OUT.mkdir(exist_ok=True)
    document = {
        "machine": machine.describe(),
        "seed": seed,
        "rows": [row._asdict() | {"size": row.size._asdict()} for row in found],
        "missing": [case.name for case in missing],
    }
    (OUT / "later.json").write_text(json.dumps(document, indent=1))
    (OUT / "later.md").write_text(table.markdown(found))
    if found:
        from benchmarks.later import picture  # noqa: PLC0415  matplotlib takes a while

        picture.write(OUT / "later.png", found)


def run(arguments: list[str] | None = None) -> None:
    """Run the command."""
    program.run(app, "bench-later", arguments)


if __name__ == "__main__":
    run()
