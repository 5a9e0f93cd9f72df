"""How good plans are: loads x sizes x policies, and what others reach.

``make bench-quality`` prints the table and writes out/quality.json, out/quality.md and out/quality.png.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.quality import table
from benchmarks.quality.loads import LOADS, Load
from benchmarks.quality.measuring import Row, rows
from benchmarks.quality.published import published
from benchmarks.quality.sizes import SIZES
from benchmarks.shared import machine, program
from benchmarks.shared.progress import progress
from eplb_xp import POLICIES
from eplb_xp.cli.errors import UserError, refusals
from eplb_xp.policy import as_policy

OUT = Path("out")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Of the loads that are not recorded.")] = 0,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Only loads with this in their name.")] = "",
    policies: Annotated[
        str, typer.Option(metavar="A,B", help="Only these policies, and greedy, whose time is the measure.")
    ] = ",".join(POLICIES),
) -> None:
    """Judge the plans of every policy for many loads and sizes."""
    loads, chosen = named(only), known(policies)
    there = [load for load in loads if load.is_there]
    missing = [load for load in loads if not load.is_there]
    if not there:
        raise UserError(f"none of the loads is there: {', '.join(str(load.file) for load in missing)}")
    with progress(sum(len(SIZES[load.experts]) for load in there)) as announce:
        found = measure(there, chosen, seed, announce)
    Console(width=110).print(table.table(found, missing))
    OUT.mkdir(exist_ok=True)
    (OUT / "quality.json").write_text(json.dumps(document(found, missing, seed), indent=1))
    (OUT / "quality.md").write_text(table.markdown(found))

    from benchmarks.quality import picture  # noqa: PLC0415  matplotlib takes a while

    picture.write(OUT / "quality.png", found)


def named(text: str) -> list[Load]:
    """The loads with a text in their name, in upper or lower case."""
    if chosen := [load for load in LOADS if text.lower() in load.name.lower()]:
        return chosen
    raise UserError(f"no load has {text!r} in its name; there are {', '.join(load.name for load in LOADS)}")


def known(policies: str) -> list[str]:
    """Greedy, and the policies of a list with commas."""
    names = [name.strip() for name in policies.split(",")]
    with refusals():
        for name in names:
            as_policy(name)
    return ["greedy", *(name for name in POLICIES if name in names and name != "greedy")]


def measure(loads: list[Load], policies: list[str], seed: int, announce: Callable[[str], None]) -> list[Row]:
    """Every policy for every size of every load."""
    found = []
    for load in loads:
        array = load.make(seed)
        for size in SIZES[load.experts]:
            announce(f"{load.name}, {size}")
            found += rows(load.name, array, size, policies)
    return found


def document(found: list[Row], missing: list[Load], seed: int) -> dict[str, Any]:
    """The numbers, what others reach, and what they were taken on."""
    pairs = dict.fromkeys((row.load, row.size) for row in found)
    return {
        "machine": machine.describe(),
        "seed": seed,
        "rows": [row._asdict() | {"size": row.size._asdict()} for row in found],
        "published": [known._asdict() | {"size": known.size._asdict()} for pair in pairs for known in published(*pair)],
        "missing": [load.name for load in missing],
    }


def run(arguments: list[str] | None = None) -> None:
    """Run the command."""
    program.run(app, "bench-quality", arguments)


if __name__ == "__main__":
    run()
