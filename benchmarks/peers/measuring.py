"""What a planner's plans are worth on the windows that they are made for and on those after, and what they cost."""

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers.peer import Peer, Planner, slots_of
from benchmarks.quality.sizes import Size
from eplb_xp import moves
from eplb_xp.simulation.arrays import Numbers
from eplb_xp.simulation.slots import balancedness, gpu_loads, placed, slot_tokens

ROUNDS, BUDGET = 9, 0.3  # first plans that are timed, and the seconds after which no more are
JUDGED = 4  # steps of the next window, evenly spaced: shares of each take a while


class Row(NamedTuple):
    """Means over the layers of all plans but the first, where there are more; None where there is no figure."""

    load: str
    size: Size
    peer: str
    plans: int = 0
    planned: float | None = None  # balancedness on the window planned for
    worst: float | None = None  # of its layers
    later: float | None = None  # on the next window as a whole
    steps: float | None = None  # on steps of the next window, each for itself
    moved: float | None = None  # share of the slots whose expert was not on their GPU in the plan before
    first: float | None = None  # seconds of a plan that follows none, median
    seconds: float | None = None  # of one that follows another, median
    failed: str = ""  # why there are no figures


class Judged(NamedTuple):
    """A plan: balancedness of its layers."""

    planned: Numbers
    later: Numbers
    steps: Numbers


def row(load: str, size: Size, peer: Peer, windows: Numbers) -> Row:
    """Plan for window after window, each plan from the one before."""
    try:
        return _measured(load, size, peer, windows)
    except Exception as error:  # whatever others raise
        return Row(load, size, peer.name, failed=f"{type(error).__name__}: {error}")


def _measured(load: str, size: Size, peer: Peer, windows: Numbers) -> Row:
    timed(peer.make(size)(windows[0], None))  # the warm-up
    planner = peer.make(size)
    used, first = _first(peer, size, planner, windows[0])
    if len(windows) == 1:
        found = _judge(used, windows[0], None, size, peer)
        return Row(load, size, peer.name, 1, *_balances([found]), None, first)
    judged, moved, times = [], [], []
    for window, later in pairwise(windows[1:]):
        slots, seconds = timed(planner(window, used))
        judged.append(_judge(slots, window, later, size, peer))
        moved.append(moves(used, slots, size.gpus).received.sum() / slots.size)
        times.append(seconds)
        used = slots
    return Row(load, size, peer.name, len(judged), *_balances(judged), float(np.mean(moved)), first, median(times))


def timed(call: Callable[[], Any]) -> tuple[Numbers, float]:
    """The slots of a plan, and how long it took."""
    start = time.process_time()
    result = call()
    seconds = time.process_time() - start
    return slots_of(result), seconds


def _first(peer: Peer, size: Size, planner: Planner, window: Numbers) -> tuple[Numbers, float]:
    """The planner's first plan, and the median of the times of others like it: some keep what they have seen."""
    slots, seconds = timed(planner(window, None))
    times = [seconds]
    while len(times) < ROUNDS and sum(times) < BUDGET:
        times.append(timed(peer.make(size)(window, None))[1])
    return slots, median(times)


def _judge(slots: Numbers, window: Numbers, later: Numbers | None, size: Size, peer: Peer) -> Judged:
    experts = window.shape[-1]
    held = np.stack([np.bincount(layer, minlength=experts) for layer in slots])
    if slots.shape[1] != size.replicas or not held.all():
        raise RuntimeError(f"a plan of {slots.shape[1]} slots in which {(held == 0).sum()} experts are missing")
    where = placed(slots, held, size.gpus, best_shares=peer.shares)

    def balance(load: Numbers) -> Numbers:
        return balancedness(gpu_loads(slot_tokens(where, load, size.gpus), size.gpus))

    if later is None:
        none = np.empty(0)
        return Judged(balance(window.sum(axis=0)), none, none)
    steps = np.concatenate([balance(step) for step in later[:: -(-len(later) // JUDGED)]])
    return Judged(balance(window.sum(axis=0)), balance(later.sum(axis=0)), steps)


def _balances(judged: list[Judged]) -> tuple[float, float, float | None, float | None]:
    planned, later, steps = (np.concatenate(each) for each in zip(*judged, strict=True))
    on_next = (float(each.mean()) if each.size else None for each in (later, steps))
    first, second = on_next
    return float(planned.mean()), float(planned.min()), first, second
