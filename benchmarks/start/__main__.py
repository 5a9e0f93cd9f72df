"""What starting costs: importing, and the first plan by NumPy, under jit, in a second process, and on a GPU.

``make bench-start`` prints a table and writes out/start.json. All is measured in processes of their
own; figures are medians. Compiling is held to CPU time, all else to the clock.
"""

import json
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.shared import machine
from benchmarks.start.figures import Figure, Skipped
from benchmarks.start.measuring import Start
from benchmarks.start.table import table


def document(found: list[Figure | Skipped]) -> str:
    """All figures as JSON, in seconds."""
    figures = [each._asdict() for each in found if isinstance(each, Figure)]
    skipped = [each._asdict() for each in found if isinstance(each, Skipped)]
    return json.dumps({"machine": machine.describe(), "figures": figures, "skipped": skipped}, indent=2) + "\n"


if __name__ == "__main__":
    console = Console(width=100)
    with TemporaryDirectory() as folder, console.status("Starting processes, for some minutes"):
        start = Start(Path(folder))
        once_written = start.importing(), start.by_numpy(), start.under_jit(), start.concrete()
        found = list(chain(*once_written, start.natively(), start.kernels()))
    console.print(table(found))
    Path("out").mkdir(exist_ok=True)
    Path("out/start.json").write_text(document(found))
