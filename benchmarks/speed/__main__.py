"""What plans on a CPU cost beside their own time: threads, what a serving thread loses, and the smallest calls.

``make bench`` prints the table after that of times, and writes out/beside.json.
"""

import os
from pathlib import Path

# As for the table of times.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

import json

from rich.console import Console
from rich.text import Text

from benchmarks.shared import machine
from benchmarks.shared.progress import progress
from benchmarks.speed import serving, small, threads
from benchmarks.speed.figures import Figure
from eplb_xp.cli.output.tables import new_table
from tests.support.native import WHY_NOT

MEASURED = (threads, serving, small)
STYLES = {"aim": "green", "reach": "green", "missed": "red"}


def main() -> None:
    """Print the table, and write what it says."""
    console = Console(width=100)
    if WHY_NOT:
        console.print(f"nothing is measured without native code: {WHY_NOT}")
        return
    found: list[Figure] = []
    with progress(len(MEASURED)) as announce:
        for each in MEASURED:
            announce(each.__name__.rpartition(".")[2])
            found += each.figures()
    cells = new_table("", "of", "", "reach", "aim", "")
    for figure in found:
        aim = "" if figure.aim is None else f"{figure.aim:g}"
        value, reach = (f"{number:.3g} {figure.unit}".strip() for number in (figure.value, figure.reach))
        cells.add_row(figure.what, figure.of, value, reach, aim, Text(figure.verdict, STYLES[figure.verdict]))
    console.print(cells)
    figures = [figure._asdict() | {"verdict": figure.verdict} for figure in found]
    Path("out").mkdir(exist_ok=True)
    document = {"machine": machine.describe(), "figures": figures}
    Path("out/beside.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
