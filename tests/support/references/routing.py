"""Routing in plain Python, for one layer, one rank after the other and one token after the other."""

from fractions import Fraction
from math import floor

UNITS = 2**24

Rows = list[list[int]]


def taken(share: list[int], log2phy: Rows, logcnt: list[int], counts: Rows, nodes: int) -> dict[tuple[int, int], int]:
    """Tokens of each rank in each slot: of the own GPU, then of the own node, then of all."""
    ranks = len(counts)
    gpu = [slot // (len(share) // ranks) for slot in range(len(share))]
    room, found = list(share), dict.fromkeys(((r, s) for r in range(ranks) for s in range(len(share))), 0)
    need = [list(row) for row in counts]
    for size in (1, ranks // nodes, ranks):
        for expert, number in enumerate(logcnt):
            for rank in range(ranks):
                for slot in sorted(log2phy[expert][:number]):
                    if gpu[slot] // size == rank // size:
                        tokens = min(need[rank][expert], room[slot])
                        found[rank, slot] += tokens
                        need[rank][expert] -= tokens
                        room[slot] -= tokens
    return found


def quotas(share: list[int], log2phy: Rows, logcnt: list[int], counts: Rows, nodes: int) -> list[Rows]:
    """What of each rank goes to each replica and those before it, the last one taking all that are left."""
    found = taken(share, log2phy, logcnt, counts, nodes)
    return [
        [
            [
                sum(found[rank, slot] for slot in slots[: k + 1]) if k + 1 < number else row[expert]
                for k in range(len(slots))
            ]
            for expert, (slots, number) in enumerate(zip(log2phy, logcnt, strict=True))
        ]
        for rank, row in enumerate(counts)
    ]


def probabilities(share: list[int], log2phy: Rows, logcnt: list[int]) -> list[list[float]]:
    """Differences of running sums in the order of slots, which are rounded to units."""
    found = []
    for slots, number in zip(log2phy, logcnt, strict=True):
        holding = sorted(slots[:number])
        its = [share[slot] for slot in holding] if any(share[slot] for slot in holding) else [1] * number
        # Above 24 bits, lower ones are left out.
        bits = max(sum(its).bit_length() - 24, 0)
        until = [sum(its[:k]) >> bits for k in range(number + 1)]
        units = [floor(Fraction(x * UNITS, until[-1]) + Fraction(until[-1] // 2, until[-1])) for x in until]
        part = {slot: (after - before) / UNITS for slot, before, after in zip(holding, units, units[1:], strict=False)}
        found.append([part[slot] if k < number else 0.0 for k, slot in enumerate(slots)])
    return found


def route(
    experts: Rows, log2phy: Rows, logcnt: list[int], quota: Rows | None = None, first: list[int] | None = None
) -> Rows:
    """Token after token, choice after choice; what is no expert has no slot."""
    before = list(first or [0] * len(logcnt))
    found = []
    for choices in experts:
        found.append([-1] * len(choices))
        for k, expert in enumerate(choices):
            if 0 <= expert < len(logcnt):
                number, turn = logcnt[expert], before[expert]
                full = 0 if quota is None else sum(until <= turn for until in quota[expert])
                replica = turn % number if quota is None else min(full, number - 1)
                found[-1][k] = log2phy[expert][replica]
                before[expert] += 1
    return found
