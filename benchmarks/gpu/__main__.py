"""Plans, shares, quotas and slots of tokens on an NVIDIA GPU: right first, then how long they take.

``make bench-gpu`` prints the table and writes out/gpu.json, out/gpu.md and out/gpu.png.
"""

import json
import secrets
import sys
from concurrent.futures import wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.gpu import cases, compiling, loads, machine, measuring, picture, table
from benchmarks.gpu.checking import WrongPlanError
from benchmarks.gpu.found import Found, Missing, Times
from benchmarks.gpu.targets import PUBLISHED, met, target
from benchmarks.shared.progress import progress
from eplb_xp.cli.errors import UserError, one_line

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where gpu.json, gpu.md and gpu.png go.")] = Path("out"),
    replays: Annotated[int, typer.Option(min=2, help="Of each plan; times are their medians.")] = 200,
    quick: Annotated[bool, typer.Option("--quick", help="Three growing sizes along each axis.")] = False,
    only: Annotated[str, typer.Option(metavar="NAME", help="Only cases with this in their name.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Of loads that plans are checked on; random.")] = None,
) -> None:
    """Compare what the GPU makes with NumPy's, then time it."""
    if (reason := machine.why_not()) is not None:
        raise UserError(reason)
    chosen = cases.sections(only, quick=quick)
    pairs = cases.pairs(chosen)
    seed = secrets.randbits(32) if seed is None else seed
    to_plan = list(dict.fromkeys(case for case, _ in pairs))
    missing = measuring.refused(to_plan)
    to_check = [case for case in to_plan if case not in missing]
    with progress(2 * len(to_check) + len(pairs)) as announce:
        ahead = measuring.compile_ahead(pairs)
        compiling.compile_all(to_check, announce)
        missing |= measuring.failed(to_check, seed, announce)
        wait(ahead)  # what is timed has the machine to itself
        found = measuring.measure(pairs, missing, replays, announce)
    described, date = machine.describe(), datetime.now(UTC).date().isoformat()
    Console(width=150).print(table.table(chosen, found))
    out.mkdir(parents=True, exist_ok=True)
    taken = {"machine": described, "date": date, "seeds": {"timed": loads.SEED, "checked": seed}}
    (out / "gpu.json").write_text(json.dumps(taken | {"rows": rows(found)}, indent=1))
    (out / "gpu.md").write_text(table.markdown(chosen, found, described, date))
    picture.write(out / "gpu.png", chosen, found, described["gpu"])


def rows(found: Found) -> list[dict[str, Any]]:
    """The numbers, in microseconds, and what is to be met."""
    return [
        {"case": str(case), "way": way, **case._asdict(), **_taken(case, way, taken, found)}
        for (case, way), taken in found.times.items()
    ]


def _taken(case: cases.Work, way: str, taken: Times | Missing, found: Found) -> dict[str, Any]:
    if isinstance(taken, Missing):
        return {"not_measured": taken.reason}
    wanted = target(case, way, found.times.get((case, "graph")))
    launches = found.launches.get(case) if way == "graph" else None
    return {
        **taken._asdict(),
        "launches": None if launches is None or isinstance(launches, Missing) else len(launches),
        "launched": launches,
        "target": None if wanted is None else wanted._asdict() | {"met": met(taken.median, wanted)},
        "published": PUBLISHED[case]._asdict() if case in PUBLISHED and way != "jax" else None,
    }


def run(arguments: list[str] | None = None) -> None:
    """Run the command; what the user can mend ends with one line on stderr and 2, a wrong plan with 1."""
    try:
        app(arguments)
    except (UserError, WrongPlanError) as error:
        print("bench-gpu:", one_line(str(error)), file=sys.stderr)
        sys.exit(2 if isinstance(error, UserError) else 1)


if __name__ == "__main__":
    run()
