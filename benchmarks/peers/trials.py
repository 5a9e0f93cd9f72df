"""What planners do with bad loads, and whether they repeat themselves: small problems, each asked of one planner."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.peers.outcomes import of_call
from benchmarks.peers.peer import Peer, slots_of
from benchmarks.quality.sizes import Size
from eplb_xp.simulation.arrays import Numbers

STEPS, LAYERS, EXPERTS = 4, 3, 32
SIZE, ODD = Size(40, 8), Size(41, 8)
SAME, OTHER = "the same", "another"
NO_SIZE, ONE_LIBRARY = "can't be asked: it takes a table of GPUs", "takes no other"


class Trial(NamedTuple):
    """What is asked, and what comes of it with a planner, in a few words."""

    name: str
    of: Callable[[Peer], str]


def usual() -> Numbers:
    """Loads that are good: [steps, layers, experts] float32, whole numbers, with ties."""
    drawn = np.random.default_rng(0).lognormal(4, 1, (STEPS, LAYERS, EXPERTS))
    return np.round(drawn).astype(np.float32)


def broken(value: float) -> Numbers:
    """One of them is another."""
    load = usual()
    load[1, 1, 5] = value
    return load


def _on(load: Callable[[], Numbers], size: Size = SIZE) -> Callable[[Peer], str]:
    def outcome(peer: Peer) -> str:
        if size is ODD and peer.takes_table:
            return NO_SIZE
        return of_call(partial(_plan, peer, size, load()), (LAYERS, size.replicas), EXPERTS)

    return outcome


def _plan(peer: Peer, size: Size, load: Numbers) -> Numbers:
    return slots_of(peer.make(size)(load, None)())


def _twice(peer: Peer) -> str:
    first, second = (_plan(peer, SIZE, usual()) for _ in range(2))
    return SAME if np.array_equal(first, second) else OTHER


def _elsewhere(peer: Peer) -> str:
    if peer.elsewhere is None:
        return ONE_LIBRARY
    first, *others = peer.elsewhere(usual().sum(axis=0), SIZE)
    return SAME if all(np.array_equal(first, plan) for plan in others) else OTHER


TRIALS = (
    Trial("a NaN", _on(lambda: broken(np.nan))),
    Trial("an infinite load", _on(lambda: broken(np.inf))),
    Trial("a negative load", _on(lambda: broken(-5e4))),
    Trial("all zero", _on(lambda: np.zeros_like(usual()))),
    Trial(f"{ODD.replicas} slots on {ODD.gpus} GPUs", _on(usual, ODD)),
    Trial("the same loads again", _twice),
    Trial("arrays of another library", _elsewhere),
)
