"""A plan that replaces another, in plain Python: what moves, what keeps its slot, and the best names for GPUs."""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations, product

Slots = list[int]  # the expert in each slot, or -1


def by_gpu(slots: Slots, gpus: int) -> list[Slots]:
    """The slots of each GPU."""
    capacity = len(slots) // gpus
    return [slots[gpu * capacity : (gpu + 1) * capacity] for gpu in range(gpus)]


def moved(slots: Slots, previous: Slots, gpus: int) -> int:
    """Slots whose expert their GPU did not hold, or not as often."""
    pairs = zip(by_gpu(slots, gpus), by_gpu(previous, gpus), strict=True)
    return sum((Counter(now) - Counter(before)).total() for now, before in pairs)


def kept(slots: Slots, previous: Slots, gpus: int) -> Slots:
    """The slots of each GPU, experts that it held where they were and the others where there is room, in order."""
    found = []
    for now, before in zip(by_gpu(slots, gpus), by_gpu(previous, gpus), strict=True):
        left = Counter(now)
        filled = [-1] * len(now)
        for place, expert in enumerate(before):
            if left[expert] > 0:
                filled[place] = expert
                left[expert] -= 1
        # Of two copies the second is the one that comes.
        stays, comes = Counter(now) - left, []
        for expert in now:
            stays[expert] -= 1
            if stays[expert] < 0:
                comes.append(expert)
        rest = iter(comes)
        found += [expert if expert >= 0 else next(rest) for expert in filled]
    return found


def labellings(nodes: int, gpus: int) -> Iterator[list[int]]:
    """All names of GPUs that keep those of a node together."""
    size = gpus // nodes
    for order in permutations(range(nodes)):
        for inside in product(permutations(range(size)), repeat=nodes):
            yield [node * size + gpu for node, names in zip(order, inside, strict=True) for gpu in names]


def renamed(slots: Slots, label: list[int]) -> Slots:
    """The plan with the slots of each GPU under its name."""
    its = by_gpu(slots, len(label))
    return [expert for gpu in range(len(label)) for expert in its[label.index(gpu)]]


def least_moved(slots: Slots, previous: Slots, nodes: int, gpus: int) -> int:
    """The fewest slots that move under any names."""
    return min(moved(renamed(slots, label), previous, gpus) for label in labellings(nodes, gpus))
