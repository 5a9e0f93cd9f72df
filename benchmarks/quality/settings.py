"""Quality against time: settings of policy "joint", for loads and sizes that need them.

``make bench-settings`` prints the table of docs/policies.md.
"""

from dataclasses import replace

from rich.console import Console

from benchmarks.quality.loads import LOADS
from benchmarks.quality.measuring import Row, rows
from benchmarks.quality.sizes import Size
from benchmarks.quality.table import percent
from benchmarks.shared.progress import progress
from eplb_xp import POLICIES

JOINT = POLICIES["joint"]
MOST = replace(JOINT, finish=1000, shakes=8, levels=48, refined=24, tolerance=0.0)
SETTINGS = {
    '`"greedy"`': POLICIES["greedy"],
    '`"swap"`': POLICIES["swap"],
    "`levels=0`": replace(JOINT, levels=0),
    "`levels=4, refined=2, shakes=1`": replace(JOINT, levels=4, refined=2, shakes=1),
    "`levels=8, refined=4, shakes=1`": replace(JOINT, levels=8, refined=4, shakes=1),
    '`"joint"`': JOINT,
    "`shakes=4`": replace(JOINT, shakes=4),
    "`levels=16, refined=16`": replace(JOINT, levels=16, refined=16),
    "`levels=48, refined=24, finish=1000, shakes=8, tolerance=0`": MOST,
}
SIZES = [Size(288, 32), Size(320, 64), Size(384, 128)]
NAMES = ["lognormal 0.6", "Zipf 1.2", "deepseek-v3-decode"]


def main() -> None:
    """Measure, print."""
    loads = [load for load in LOADS if load.name in NAMES]
    found: dict[tuple[str, Size], list[Row]] = {}
    with progress(len(loads) * len(SIZES)) as announce:
        for load in loads:
            for size in SIZES:
                announce(f"{load.name}, {size}")
                found[load.name, size] = rows(load.name, load.make(0), size, list(SETTINGS.values()))
    header = ["setting", *(f"{name}, {size}" for name, size in found)]
    lines = [header, ["---"] * len(header)]
    for number, setting in enumerate(SETTINGS):
        cells = [f"{percent(of[number].mean_gap)} ({of[number].ratio:.0f}x)" for of in found.values()]
        lines.append([setting, *cells])
    Console(soft_wrap=True, markup=False, highlight=False).print("\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    main()
