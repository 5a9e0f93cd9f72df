"""The planners that people have beside ours: balance now and later, moves, time, bad loads.

``make bench-peers`` fetches their packages, prints the tables and writes out/peers.json, .md and .png; with ``--page``
also the tables and the picture of docs/peers.md.
"""

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks.peers import page, table
from benchmarks.peers.behaviour import behaviours
from benchmarks.peers.cases import CASES
from benchmarks.peers.measuring import row
from benchmarks.peers.planners import NOT_RUN, there
from benchmarks.peers.summary import summaries
from benchmarks.shared import machine, program
from benchmarks.shared.progress import progress
from eplb_xp.cli.errors import UserError
from tests.support.paths import ROOT

OUT = Path("out")
PAGE, PICTURE = ROOT / "docs" / "peers.md", ROOT / "docs" / "peers.png"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Of the loads that are not recorded.")] = 0,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Only loads with this in their name.")] = "",
    write_page: Annotated[bool, typer.Option("--page", help="Write docs/peers.md and .png too; of all loads.")] = False,
) -> None:
    """Plan for the same loads with every planner."""
    named = [case for case in CASES if only.lower() in case.name.lower()]
    if not named:
        raise UserError(f"no load has {only!r} in its name; there are {'; '.join(case.name for case in CASES)}")
    cases = [case for case in named if case.is_there]
    peers, absent = there()
    missing = {case.name: f"there is no {case.file}" for case in named if not case.is_there} | absent
    if write_page and (only or missing):
        raise UserError(f"--page is for all loads and planners; left out: {', '.join(missing) or f'all but {only!r}'}")
    on_one_core()
    with progress(len(peers) + sum(len(case.sizes) for case in cases)) as announce:
        tried = behaviours(peers, announce)
        rows = []
        for case in cases:
            windows = case.windows(seed)
            for size in case.sizes:
                announce(f"{case.name}, {size}")
                rows += [row(case.name, size, peer, windows) for peer in peers if peer.plans(size)]
    reasons = {**NOT_RUN, **missing}
    Console(width=130).print(table.table(rows, tried, [f"{name}, because {why}" for name, why in missing.items()]))
    found = summaries(rows)
    tables = {
        "means": table.of_summaries(rows),
        "behaviour": table.of_behaviours(tried),
        "not run": table.of_reasons(reasons.items()),
        "rows": table.of_rows(rows),
    }
    OUT.mkdir(exist_ok=True)
    document = {
        "machine": machine.describe(),
        "seed": seed,
        "rows": [each._asdict() | {"size": each.size._asdict()} for each in rows],
        "behaviour": [each._asdict() for each in tried],
        "not run": reasons,
    }
    (OUT / "peers.json").write_text(json.dumps(document, indent=1))
    (OUT / "peers.md").write_text("\n".join(tables.values()))
    if found:
        from benchmarks.peers import picture  # noqa: PLC0415  matplotlib takes a while

        picture.write(OUT / "peers.png", found)
    if write_page:
        PAGE.write_text(page.filled(PAGE.read_text(), tables))
        shutil.copyfile(OUT / "peers.png", PICTURE)


def on_one_core() -> None:
    """One thread for everyone, and no warnings of others about numbers that are none."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=RuntimeWarning)


def run(arguments: list[str] | None = None) -> None:
    """Run the command."""
    program.run(app, "bench-peers", arguments)


if __name__ == "__main__":
    run()
