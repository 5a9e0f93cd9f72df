"""An expert-parallel layer on all GPUs of a machine: outputs right first, then what each placement saves.

``make bench-moe`` prints the tables and writes out/moe.json, out/moe.md and out/moe.png. Without GPUs it runs a tiny
layer on the processor: all is right there, and no time means anything.
"""

import json
import multiprocessing
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from benchmarks.gpu import machine
from benchmarks.moe import parts, picture, ranks, summary, table
from benchmarks.moe.agreement import Sizes
from benchmarks.moe.systems import DECODE, PREFILL, System, preset_of, systems, tiny
from eplb_xp.cli.errors import UserError, one_line
from eplb_xp.simulation import Cost, cost_of

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Found = dict[str, list[dict[str, Any]]]


@app.command()
def bench(
    *,
    gpus: Annotated[int | None, typer.Option(min=1, help="Ranks; all GPUs, or 2 on a processor.")] = None,
    only: Annotated[str, typer.Option(metavar="PARTS", help=f"Of {', '.join(parts.PARTS)}, with commas.")] = "",
    loads: Annotated[int | None, typer.Option(min=1, help="That ranks must agree on; 1,000, or 5.")] = None,
    system: Annotated[str, typer.Option(metavar="TEXT", help="Only systems with this in their name.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="One layer of each system, and three batches.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of loads, tokens and choices.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where moe.json, .md and .png go.")] = Path("out"),
) -> None:
    """Run a layer in every case, compare it with one without replicas, and time it."""
    chosen = tuple(part for part in parts.PARTS if part in only.split(",") or not only)
    if unknown := set(only.split(",")) - {"", *parts.PARTS}:
        raise UserError(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts.PARTS)}")
    there = torch.cuda.device_count()
    number = gpus or there or 2
    if there and number > there:
        raise UserError(f"{number} ranks want as many GPUs, and there are {there}")
    run = systems(number) if there else tiny(number)
    names = ", ".join(each.name for each in run)
    run = [each for each in run if system.lower() in each.name.lower()]
    if not run:
        raise UserError(f"no system has {system!r} in its name; there are {names}")
    if quick:
        run = [each._replace(layers=each.layers[-1:], batches=min(3, each.batches)) for each in run]
    sizes = Sizes(8, 256, 288, 32) if there else Sizes(3, 16, 20, 2)
    results = out / "moe"
    results.mkdir(parents=True, exist_ok=True)
    job = parts.Job(chosen, run, sizes, loads or (1000 if there else 5), results)
    if set(chosen) - {parts.BY_JAX}:
        ranks.run(partial(parts.of_rank, job), number, seed)
    if parts.BY_JAX in chosen:
        _in_a_process(partial(parts.of_jax, job, number, seed))
    found = {part: json.loads((results / f"{part}.json").read_text()) for part in chosen}
    _tell(found, run, number, out)


def _in_a_process(work: Any) -> None:
    """JAX has all GPUs for itself, and they are free for others when it has ended."""
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    if process.exitcode:
        raise UserError(f"JAX's layer ended with {process.exitcode}; see above")


def _tell(found: Found, run: list[System], number: int, out: Path) -> None:
    described = machine.describe() if torch.cuda.is_available() else {"gpu": "a processor, which says nothing of time"}
    gpu = preset_of(described["gpu"])
    costs = {system.name: cost_of(gpu, system.model) for system in run}
    steps = found.get(PREFILL, []) + found.get(DECODE, [])
    tables = list(_tables(found, steps, costs))
    Console(width=150).print(table.shown(tables))
    date = datetime.now(UTC).date().isoformat()
    taken = {"machine": described, "gpus": number, "date": date}
    (out / "moe.json").write_text(json.dumps(taken | {"costs": summary.costs(found), "parts": found}))
    (out / "moe.md").write_text(table.markdown(tables, f"Taken on {date}, on {number} of: {described}."))
    if steps:
        picture.write(out / "moe.png", steps, f"{number} x {described['gpu']}")


def _tables(found: Found, steps: list[dict[str, Any]], costs: dict[str, Cost]) -> Any:
    if steps:
        yield table.of_cases(summary.times(steps, costs.__getitem__), "a layer by PyTorch")
        yield table.of_fits(summary.fits(steps))
    if found.get("slots"):
        yield table.of_slots(found["slots"])
    if found.get("moves"):
        yield table.of_moves(found["moves"])
    if measured := summary.costs(found):
        yield table.of_costs(measured, costs)
    if found.get(parts.BY_JAX):
        yield table.of_cases(summary.times(found[parts.BY_JAX], costs.__getitem__), "a layer by JAX, one program")
    if found.get("agreement"):
        yield table.of_agreement(found["agreement"])


def main(arguments: list[str] | None = None) -> None:
    """Run the command; what the user can mend ends with one line on stderr and 2."""
    try:
        app(arguments)
    except UserError as error:
        print("bench-moe:", one_line(str(error)), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
