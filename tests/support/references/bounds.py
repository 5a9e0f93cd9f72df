"""What no plan can beat, step by step in plain Python over float64 numbers, one layer at a time."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import ceil, floor
from typing import Any

from tests.support.libraries import NumPyArray

Loads = Sequence[float] | NumPyArray

# docs/design.md, "The lower bound": the rounding that float32 is given room for.
MARGIN = 2.0**-20


def splits(items: tuple[Any, ...], size: int) -> Iterator[list[tuple[Any, ...]]]:
    """All ways to split items into sets of a size, the order of the sets aside."""
    if not items:
        yield []
    else:
        for others in combinations(range(1, len(items)), size - 1):
            rest = tuple(items[i] for i in range(1, len(items)) if i not in others)
            for split in splits(rest, size):
                yield [(items[0], *(items[i] for i in others)), *split]


def busiest_of_best_split(loads: Loads, size: int) -> float:
    """The load of the busiest set under the best of all splits into sets of a size."""
    return min(max(float(sum(part)) for part in split) for split in splits(tuple(loads), size))


def lower_bound(load: Loads, num_replicas: int, num_gpus: int, num_groups: int, num_nodes: int) -> float:
    """The mean GPU load, the smallest largest replica, or the busiest node; raised as far as points prove."""
    if num_groups % num_nodes:
        num_groups = num_nodes = 1
    size = len(load) // num_groups
    groups = [sum(load[g * size : (g + 1) * size]) for g in range(num_groups)]
    node = busiest_of_best_split(groups, num_groups // num_nodes) / (num_gpus // num_nodes)
    bound = max(sum(load) / num_gpus, _largest_replica(load, num_replicas), node)
    return _raised(load, num_replicas, num_gpus, bound) if bound and 1 < num_gpus < num_replicas else bound


def _largest_replica(load: Loads, num_replicas: int) -> float:
    """The largest replica under counts that make it as small as any can."""
    count = [1] * len(load)
    for _ in range(num_replicas - len(load)):
        share = [w / n for w, n in zip(load, count, strict=True)]
        count[share.index(max(share))] += 1
    return max(w / n for w, n in zip(load, count, strict=True))


def _raised(load: Loads, num_replicas: int, num_gpus: int, bound: float) -> float:
    """The largest load up to twice the bound that points prove too little for all GPUs, or the bound."""
    low, high = bound, 2 * bound
    for _ in range(40):
        middle = (low + high) / 2
        if any(_prove(load, num_replicas, num_gpus, middle, i) for i in range(min(8, len(load)))):
            low = middle
        else:
            high = middle
    return low


def _prove(load: Loads, num_replicas: int, num_gpus: int, most: float, lighter: int) -> bool:
    """Whether a plan with all GPUs at or below a load would need more than 2 points a replica.

    Replicas are light that are below the load of the expert that so many are lighter than.
    """
    slots = num_replicas // num_gpus
    number = max(slots - 1 - lighter, 1)
    ordered = sorted(load)
    light = ordered[lighter] * (1 - 2 * MARGIN)
    fewest = [max(ceil(w / most * (1 - MARGIN)), 1) for w in load]
    spares = num_replicas - sum(fewest)
    lightest = sum([w for w in ordered if w >= light][:number]) * (1 - MARGIN)
    light = min(light, most * (0.5 - MARGIN) / number)
    together = max(light * number, min(lightest, most * (0.25 - MARGIN)))
    if light == 0:
        return False
    total = 0
    for w, n in zip(load, fewest, strict=True):
        points = n * (slots - number + 2)
        middling = max(ceil(w / (most - together) * (1 - MARGIN)), 1)
        below = floor(w / light * (1 - MARGIN)) + 1
        if middling <= n + spares:
            points = min(points, 2 * middling)
        if below <= n + spares:
            points = min(points, below)
        total += points
    return total > 2 * num_replicas
