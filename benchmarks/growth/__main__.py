"""How time and memory grow with layers, experts and GPUs.

``make bench-growth`` prints the tables and writes out/growth.json and out/growth.png.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.growth import table
from benchmarks.growth.measuring import MAKERS, Cost, Found, Series, Skipped, cost
from benchmarks.growth.sizes import AXES
from benchmarks.shared import machine
from benchmarks.shared.progress import progress
from eplb_xp import POLICIES

OUT = Path("out")
MOST_SECONDS = 5.0  # of one plan; if one takes longer, those of larger sizes are left out
SERIES = [
    Series(policy, library) for policy in POLICIES for library in MAKERS if library != "baseline" or policy == "greedy"
]


def main() -> None:
    """Measure, print, write."""
    with progress(len(SERIES) * len(AXES)) as announce:
        found = measure(announce)
    Console(width=110).print(table.table(found))
    OUT.mkdir(exist_ok=True)
    (OUT / "growth.json").write_text(json.dumps(document(found), indent=1))

    from benchmarks.growth import picture  # noqa: PLC0415  matplotlib takes a while

    picture.write(OUT / "growth.png", found)


def measure(announce: Callable[[str], None]) -> Found:
    """Every series along every axis, small sizes first."""
    found: Found = {}
    for series in SERIES:
        for axis, sizes in AXES.items():
            announce(f"{series.policy} on {series.library}, {axis}")
            too_slow = None
            for size in sizes:
                if (series, size) not in found:
                    found[series, size] = too_slow or cost(series, size)
                last = found[series, size]
                if isinstance(last, Cost) and last.seconds > MOST_SECONDS:
                    too_slow = Skipped(f"the size before takes {last.seconds:.0f} s")
    return found


def document(found: Found) -> dict[str, Any]:
    """The numbers, and what they were taken on."""
    costs = [
        {
            **series._asdict(),
            **size._asdict(),
            "replicas": size.replicas,
            **(measured._asdict() if isinstance(measured, Cost) else {"skipped": measured.reason}),
        }
        for (series, size), measured in found.items()
    ]
    return {"machine": machine.describe(), "costs": costs}


if __name__ == "__main__":
    main()
