"""What is measured, one part after the other, and where each part's rows are written down."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import torch

from benchmarks.moe import agreement, by_jax, finding, replanning, steps
from benchmarks.moe.place import Place
from benchmarks.moe.rows import Row
from benchmarks.moe.systems import DECODE, PREFILL, System

BY_TORCH = PREFILL, DECODE, "slots", "moves", "agreement"
BY_JAX = "jax"
PARTS = (*BY_TORCH, BY_JAX)


class Job(NamedTuple):
    """What is to be measured."""

    parts: tuple[str, ...]
    systems: list[System]
    sizes: agreement.Sizes
    loads: int
    results: Path  # a folder, in which each part has a file


def of_rank(job: Job, where: Place) -> None:
    """All parts but JAX's layer, on one rank; the first rank writes what all have found."""
    announce = _announced() if where.rank == 0 else _nothing
    for part in job.parts:
        if part in BY_TORCH:
            rows = [row for found in _of_part(job, part, where, announce) for row in found]
            if where.rank == 0:
                _write(job, part, rows)


def of_jax(job: Job, gpus: int, seed: int) -> None:
    """JAX's layer, in a process that has all devices, or makes them of the processor."""
    if not torch.cuda.is_available():
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_num_cpu_devices", gpus)
    announce = _announced()
    _write(job, BY_JAX, [row for system in job.systems for row in by_jax.measured(gpus, system, seed, announce)])


def _of_part(job: Job, part: str, where: Place, announce: Callable[[str], None]) -> Iterator[Iterator[Row]]:
    if part == "agreement":
        yield agreement.measured(where, job.sizes, job.loads, announce)
        return
    measured = {"slots": finding.measured, "moves": replanning.measured}.get(part, steps.measured)
    phases = {DECODE: {DECODE}, "slots": {PREFILL, DECODE}}.get(part, {PREFILL})
    yield from (measured(where, system, announce) for system in job.systems if system.phase in phases)


def _write(job: Job, part: str, rows: list[Row]) -> None:
    (job.results / f"{part}.json").write_text(json.dumps(rows))


def _announced() -> Callable[[str], None]:
    start = time.perf_counter()
    return lambda text: print(f"{time.perf_counter() - start:.0f} s: {text}", file=sys.stderr, flush=True)


def _nothing(_: str) -> None:
    """Other ranks say nothing."""
