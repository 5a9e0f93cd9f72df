"""Rings in plain Python: whether the GPUs of experts are stretches of rings, and the best shares there.

A ring of some GPUs in a row leads from the last back to the first. An expert's stretch is where its GPUs begin; it owns
the links from each to the next, and no other expert may own one of them.
"""

from typing import NamedTuple

Held = list[list[int]]
Taken = dict[tuple[int, int], int]


class Rings(NamedTuple):
    """The rings of a layer."""

    size: int
    start: list[int]  # the first GPU of each expert with several, else -1


def around(gpu: int, size: int, steps: int = 1) -> int:
    """The GPU so many steps on."""
    return gpu - gpu % size + (gpu + steps) % size


def stretch(start: int, length: int, size: int) -> list[int]:
    return [around(start, size, step) for step in range(length)]


def stretches(held: Held, gpus: int) -> Rings | None:
    """The smallest rings that part no expert, and each expert's stretch on them, if there are such."""
    size = min(s for s in range(1, gpus + 1) if gpus % s == 0 and all(len({g // s for g in its}) == 1 for its in held))
    start = [-1] * len(held)
    owned: set[int] = set()  # links, by the GPU that they lead on from

    def own(expert: int, first: int) -> bool:
        links = stretch(first, len(held[expert]) - 1, size)
        free = owned.isdisjoint(links)
        owned.update(links)
        start[expert] = first
        return free

    several = [e for e, its in enumerate(held) if len(its) > 1]
    for e in several:
        if len(held[e]) < size:
            firsts = [g for g in held[e] if sorted(stretch(g, len(held[e]), size)) == held[e]]
            if not firsts or not own(e, firsts[0]):
                return None
    parts = set(owned)
    for e in several:
        if len(held[e]) == size:  # all of a ring: behind the link that is another's, or from the first GPU on
            behind = [around(g, size) for g in held[e] if g in parts]
            if not own(e, max(behind, default=held[e][0])):
                return None
    return Rings(size, start)


def solved(tokens: list[int], held: Held, rings: Rings) -> tuple[Taken, set[int]]:
    """The shares with the least load of the busiest GPU, and GPUs that prove it."""
    size, start = rings
    gpus = 1 + max(g for its in held for g in its)
    ring = {g: stretch(g - g % size, size, size) for g in range(gpus)}
    alone = [sum(tokens[e] for e, its in enumerate(held) if its == [g]) for g in range(gpus)]
    begins = [sum(x for x, first in zip(tokens, start, strict=True) if first == g) for g in range(gpus)]
    ends = {stretch(first, len(its), size)[-1] for first, its in zip(start, held, strict=True) if first >= 0}

    def flow(most: int) -> list[int]:
        """What goes on from each GPU where none may have more: each ring twice round, beginning with nothing."""
        out = [0] * gpus
        for g in [*range(gpus)] * 2:
            out[g] = max(0, out[around(g, size, -1)] + begins[g] + alone[g] - most)
        return out

    def overfull(most: int) -> list[int]:
        """Where stretches end with too much left."""
        out = flow(most)
        return sorted(g for g in ends if out[around(g, size, -1)] + alone[g] > most)

    single = max(range(gpus), key=lambda g: alone[g])
    fullest = max(range(gpus), key=lambda g: sum(alone[h] + begins[h] for h in ring[g]))
    mean = -(-sum(alone[h] + begins[h] for h in ring[fullest]) // size)
    low, proof = (alone[single], {single}) if alone[single] >= mean else (mean, set(ring[fullest]))
    below, high = low - 1, sum(tokens)
    while high - below > 1:
        middle = (below + high) // 2
        below, high = (middle, high) if overfull(middle) else (below, middle)
    if high > low:
        out, last = flow(high - 1), overfull(high - 1)[0]
        proof = {last}
        while out[around(last, size, -1)]:
            last = around(last, size, -1)
            proof.add(last)
    out, taken = flow(high), {}
    for e, its in enumerate(held):
        left = tokens[e]
        for turn, g in enumerate(stretch(start[e], len(its), size) if start[e] >= 0 else its):
            is_last = turn == len(its) - 1
            before = out[around(g, size, -1)] if turn == 0 and not is_last else 0
            room = high - alone[g] - before
            taken[e, g] = left if is_last else min(left, max(room, 0))
            left -= taken[e, g]
    return taken, proof
