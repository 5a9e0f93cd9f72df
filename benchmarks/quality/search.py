"""How far plans of policy joint are from the best that a long search finds, where a bound says little.

Small layers, and two slots a GPU. ``make bench-search`` prints the tables of docs/quality.md. The long search is the
same policy with ten times of everything, so it is no proof; but it is not beaten by annealing counts and places.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from rich.console import Console

from benchmarks.quality.loads import LOADS
from benchmarks.quality.sizes import Size
from benchmarks.quality.table import percent
from benchmarks.shared.progress import progress
from eplb_xp import POLICIES, Policy, Report, evaluate, rebalance_experts
from tests.support.libraries import NumPyArray
from tests.support.loads import zipf

JOINT = POLICIES["joint"]
LONG = replace(JOINT, finish=1000, shakes=20, levels=24, refined=24, generations=160, tolerance=0.0)

MOST_EXPERTS, MOST_SLOTS = 16, 24
SMALL_SIZES, LAYERS = 60, 20

# Two slots a GPU, and how many layers of a load.
FEW_SLOTS = [("lognormal 0.6", Size(288, 144)), ("lognormal 0.6", Size(320, 160)), ("gpt-oss-20b", Size(32, 16))]
FEW_LAYERS = 12


class Far(NamedTuple):
    """How far plans are, as shares: of the bound, and of what a long search finds."""

    gap: NumPyArray  # [layers]
    excess: NumPyArray  # [layers]


def small_layers(rng: np.random.Generator) -> tuple[NumPyArray, Size]:
    """Layers of one size drawn from all that leave a choice, the loads from one family of four."""
    while True:
        experts, gpus, capacity = (
            int(rng.integers(4, MOST_EXPERTS + 1)),
            int(rng.integers(2, 13)),
            int(rng.integers(2, 7)),
        )
        slots = gpus * capacity
        if experts < slots <= min(MOST_SLOTS, experts * gpus) and capacity < experts:
            break
    layer: Callable[[], NumPyArray] = [
        lambda: rng.lognormal(0, 0.6, experts),
        lambda: rng.lognormal(0, 1.5, experts),
        lambda: zipf(1.2)(rng, experts) * rng.uniform(0.8, 1.2, experts),
        lambda: rng.integers(1, 1000, experts).astype(float),
    ][int(rng.integers(4))]
    return np.stack([layer() for _ in range(LAYERS)]).astype(np.float32), Size(slots, gpus)


def far(load: NumPyArray, size: Size) -> Far:
    """How far joint's plans are."""
    report, best = (_report(load, size, policy) for policy in (JOINT, LONG))
    busiest, least = (of.gpu_load.max(axis=1).astype(float) for of in (report, best))
    return Far(report.gap, busiest / np.minimum(busiest, least) - 1)


def _report(load: NumPyArray, size: Size, policy: Policy) -> Report[NumPyArray]:
    plan = rebalance_experts(load, size.replicas, 1, 1, size.gpus, policy=policy)
    return evaluate(plan, load, size.gpus)


def small(seed: int) -> Iterator[Far]:
    """Small layers, size after size."""
    rng = np.random.default_rng(seed)
    for _ in range(SMALL_SIZES):
        yield far(*small_layers(rng))


def main() -> None:
    """Measure, print."""
    lines = [["layers", "gap, mean", "above a long search, mean", "worst", "more than 3 %"], ["---"] * 5]
    with progress(SMALL_SIZES + len(FEW_SLOTS)) as announce:
        found = []
        for number, one in enumerate(small(0)):
            announce(f"small layers, size {number + 1}")
            found.append(one)
        lines.append(_line(f"{MOST_EXPERTS} experts, {MOST_SLOTS} slots at most", found))
        for name, size in FEW_SLOTS:
            announce(f"{name}, {size}")
            load = next(load for load in LOADS if load.name == name)
            lines.append(_line(f"{name}, {size}", [far(load.make(0)[:FEW_LAYERS].astype(np.float32), size)]))
    Console(soft_wrap=True, markup=False, highlight=False).print("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _line(what: str, found: list[Far]) -> list[str]:
    gap, excess = (np.concatenate(of) for of in zip(*found, strict=True))
    figures = [percent(float(x)) for x in (gap.mean(), excess.mean(), excess.max())]
    return [f"{what}: {len(gap)}", *figures, str(int((excess > 0.03).sum()))]


if __name__ == "__main__":
    main()
