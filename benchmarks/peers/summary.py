"""One line for each planner: means over the loads and sizes that all of them plan over time."""

from math import exp, log
from typing import NamedTuple

from benchmarks.peers.measuring import Row
from benchmarks.peers.ours import JOINT


class Summary(NamedTuple):
    """Means over loads and sizes; times are geometric means of their ratios to joint's of the same row and run."""

    peer: str
    planned: float
    worst: float
    later: float
    steps: float
    moved: float
    first: float | None
    seconds: float | None


def shared_by_all(rows: list[Row]) -> list[tuple[str, str]]:
    """The loads and sizes over time for which every planner has figures."""
    peers = {row.peer for row in rows}
    pairs = dict.fromkeys((row.load, str(row.size)) for row in rows if row.later is not None)
    with_figures = {(row.load, str(row.size), row.peer) for row in rows if row.later is not None}
    return [pair for pair in pairs if all((*pair, peer) in with_figures for peer in peers)]


def summaries(rows: list[Row]) -> list[Summary]:
    """In the order of the rows."""
    pairs = shared_by_all(rows)
    found = {(row.load, str(row.size), row.peer): row for row in rows}
    if not pairs:
        return []
    return [
        _summary([found[*pair, peer] for pair in pairs], [found.get((*pair, JOINT)) for pair in pairs])
        for peer in dict.fromkeys(row.peer for row in rows)
    ]


def _summary(rows: list[Row], joint: list[Row | None]) -> Summary:
    def mean(what: str) -> float:
        return sum(getattr(row, what) for row in rows) / len(rows)

    def ratio(what: str) -> float | None:
        logs = [log(getattr(row, what) / getattr(of, what)) for row, of in zip(rows, joint, strict=True) if of]
        return exp(sum(logs) / len(logs)) if logs else None

    worst = min(row.worst for row in rows if row.worst is not None)
    balance = mean("planned"), worst, mean("later"), mean("steps"), mean("moved")
    return Summary(rows[0].peer, *balance, ratio("first"), ratio("seconds"))
