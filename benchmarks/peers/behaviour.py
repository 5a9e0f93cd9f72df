"""What each planner does in each trial, in a process of its own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from benchmarks.peers.apart import apart
from benchmarks.peers.peer import Peer
from benchmarks.peers.trials import TRIALS


class Behaviour(NamedTuple):
    """What came of each trial, in their order."""

    peer: str
    outcomes: tuple[str, ...]


def behaviours(peers: Sequence[Peer], announce: Callable[[str], None]) -> list[Behaviour]:
    """One planner after the other."""
    found = []
    for peer in peers:
        announce(f"bad loads, {peer.name}")
        found.append(Behaviour(peer.name, tuple(apart(partial(trial.of, peer)) for trial in TRIALS)))
    return found
