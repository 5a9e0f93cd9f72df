"""Plans on an NVIDIA GPU: right first, then how long they take.

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

import gpu_cases
import gpu_compiling
import gpu_loads
import gpu_machine
import gpu_measuring
import gpu_picture
import gpu_table
from eplb_xp.cli.errors import UserError, one_line
from eplb_xp.cli.progress import progress
from gpu_checking import WrongPlanError
from gpu_found import Found, Missing, Times
from gpu_targets import PUBLISHED, met, target

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
    """Compare plans on the GPU with NumPy's, then time them."""
    if (reason := gpu_machine.why_not()) is not None:
        raise UserError(reason)
    chosen = gpu_cases.sections(only, quick=quick)
    pairs = gpu_cases.pairs(chosen)
    seed = secrets.randbits(32) if seed is None else seed
    cases = list(dict.fromkeys(case for case, _ in pairs))
    missing = gpu_measuring.refused(cases)
    to_check = [case for case in cases if case not in missing]
    with progress(2 * len(to_check) + len(pairs), hidden=False) as announce:
        ahead = gpu_measuring.compile_ahead(pairs)
        gpu_compiling.compile_all(to_check, announce)
        missing |= gpu_measuring.failed(to_check, seed, announce)
        wait(ahead)  # what is timed has the machine to itself
        found = gpu_measuring.measure(pairs, missing, replays, announce)
    machine, date = gpu_machine.describe(), datetime.now(UTC).date().isoformat()
    Console(width=140).print(gpu_table.table(chosen, found))
    out.mkdir(parents=True, exist_ok=True)
    taken = {"machine": machine, "date": date, "seeds": {"timed": gpu_loads.SEED, "checked": seed}}
    (out / "gpu.json").write_text(json.dumps(taken | {"rows": rows(found)}, indent=1))
    (out / "gpu.md").write_text(gpu_table.markdown(chosen, found, machine, date))
    gpu_picture.write(out / "gpu.png", chosen, found, machine["gpu"])


def rows(found: Found) -> list[dict[str, Any]]:
    """The numbers, in microseconds, and what is to be met."""
    return [
        {"way": way, **case._asdict(), **_taken(case, way, taken, found)} for (case, way), taken in found.times.items()
    ]


def _taken(case: gpu_cases.Case, way: str, taken: Times | Missing, found: Found) -> dict[str, Any]:
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
