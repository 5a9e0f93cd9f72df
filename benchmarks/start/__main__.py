"""What starting costs: importing, the first plan under jit, the same in a second process, the first plan without jit.

``make bench-start`` prints a table and writes out/start.json. All is measured in processes of
their own. What is compared takes turns; figures are medians.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from rich.console import Console, Group
from rich.text import Text

from benchmarks.shared import machine
from benchmarks.start.child import ROUTES
from eplb_xp import POLICIES, loads
from eplb_xp.cli.output.tables import new_table

# What each may take at most, in seconds.
IMPORT = 0.05
FIRST_CALL = {"greedy": 5.0, "multistart": 10.0}
SECOND_PROCESS = 1.0
CONCRETE = 1.0

# Processes that a figure is the median of.
IMPORTS, FIRST_CALLS, SECOND_PROCESSES = 21, 3, 5

CHILD = str(Path(__file__).with_name("child.py"))
CASES = [(policy, route) for policy in POLICIES for route in ROUTES]
PARTS = ("trace", "lower", "compile", "run")
NOTES = """
import: added to that of NumPy and array_api_compat
first call: under jit; 58 layers x 256 experts, 288 replicas, 32 GPUs
hierarchical: 8 groups, 4 nodes
2nd process: added by import and first call to one that imports JAX and compiles
x + 1; both have JAX's persistent compilation cache, and compile is reading it
concrete: the first plan of a concrete array, without jit"""


class Process(NamedTuple):
    """A process that has ended."""

    seconds: float  # from its start to its end
    parts: dict[str, float]  # what it says itself


class Figure(NamedTuple):
    """A time in seconds, what it may be at most, and the parts that are known of it."""

    what: str
    of: tuple[str, ...]  # policy and route, or the loads
    seconds: float
    at_most: float | None
    parts: dict[str, float]

    @property
    def missed(self) -> bool:
        """Whether it took longer than it may."""
        return self.at_most is not None and self.seconds > self.at_most


def run(*arguments: str, cache: Path | None = None) -> Process:
    """Run Python, on the CPU, with JAX's persistent compilation cache in a folder."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONDONTWRITEBYTECODE": ""}  # modules as pip compiles them
    if cache is not None:
        environment |= {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    begin = time.perf_counter()
    ended = subprocess.run(  # noqa: S603 # our own program
        [sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return Process(time.perf_counter() - begin, json.loads(ended.stdout or "null") or {})


def importing() -> Iterator[Figure]:
    """What importing takes."""
    base = "import numpy, array_api_compat"
    added = [run("-c", f"{base}, eplb_xp").seconds - run("-c", base).seconds for _ in range(IMPORTS)]
    yield Figure("import", (), median(added), IMPORT, {})


def first_plans(folder: Path) -> Iterator[Figure]:
    """What the first plan takes, before and after JAX's persistent cache has it."""
    path = str(folder / "loads.npy")
    np.save(path, loads.generate("deepseek-v3-decode")[0].astype(np.float32))
    caches = [folder / f"cache-{i}" for i in range(FIRST_CALLS)]
    parts: dict[tuple[str, str], list[dict[str, float]]] = {case: [] for case in CASES}
    for cache in caches:
        for case in CASES:
            parts[case].append(run(CHILD, "first", path, *case, cache=cache).parts)
    for case in CASES:
        total = median(sum(each.values()) for each in parts[case])
        yield Figure("first call", case, total, FIRST_CALL.get(case[0]), medians(parts[case]))

    added: dict[tuple[str, str], list[float]] = {case: [] for case in CASES}
    parts = {case: [] for case in CASES}
    for _ in range(SECOND_PROCESSES):
        base = run(CHILD, "base", path, cache=caches[0])
        for case in CASES:
            second = run(CHILD, "first", path, *case, cache=caches[0])
            added[case].append(second.seconds - base.seconds)
            parts[case].append(second.parts)
    for case in CASES:
        yield Figure("2nd process", case, median(added[case]), SECOND_PROCESS, medians(parts[case]))

    for case in CASES:
        took = [run(CHILD, "concrete", path, *case).parts["run"] for _ in range(FIRST_CALLS)]
        yield Figure("concrete", case, median(took), CONCRETE, {})


def medians(parts: list[dict[str, float]]) -> dict[str, float]:
    """The median of each part."""
    return {part: median(each[part] for each in parts) for part in PARTS}


def table(figures: list[Figure]) -> Group:
    """A row for each figure, in milliseconds."""
    rows = new_table("", "policy", "route", "ms", "at\nmost", *PARTS)
    for figure in figures:
        policy, route = (*figure.of, "", "")[:2]
        at_most = "" if figure.at_most is None else milliseconds(figure.at_most)
        seconds = Text(milliseconds(figure.seconds), "" if not at_most else "red" if figure.missed else "green")
        rows.add_row(figure.what, policy, route, seconds, at_most, *map(milliseconds, figure.parts.values()))
    missed = sum(figure.missed for figure in figures)
    verdict = Text(f"\n{missed} took longer than they may" if missed else "", style="red")
    return Group(rows, verdict, Text(NOTES, style="dim"))


def milliseconds(seconds: float) -> str:
    """Two digits or more."""
    return f"{1e3 * seconds:.{0 if seconds >= 0.01 else 1 if seconds >= 0.001 else 2}f}"


if __name__ == "__main__":
    console = Console()
    with TemporaryDirectory() as folder, console.status("Starting processes, for about two minutes"):
        figures = [*importing(), *first_plans(Path(folder))]
    console.print(table(figures))
    Path("out").mkdir(exist_ok=True)
    document = {"machine": machine.describe(), "figures": [figure._asdict() for figure in figures]}
    Path("out/start.json").write_text(json.dumps(document, indent=2) + "\n")
