"""A planner to be compared: how it is asked, and what it gives."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality.sizes import Size
from eplb_xp.simulation.arrays import Numbers

# From loads [steps, layers, experts] and the slots in use [layers, slots], None before the first plan, to the call
# that plans: what it needs is there before the clock starts. One planner sees the windows of a load in order.
Planner = Callable[[Numbers, Numbers | None], Callable[[], Any]]


class Peer(NamedTuple):
    """A planner by name."""

    name: str
    source: str  # the release it comes from, as it is fetched; none for ours
    make: Callable[[Size], Planner]
    keeps_groups: bool = True  # plans hierarchically, where a size has groups
    takes_table: bool = False  # [layers, gpus, slots], so sizes that don't divide can't be asked for
    shares: bool = False  # its plans are for the best shares of each batch
    elsewhere: Callable[[Numbers, Size], list[Numbers]] | None = None  # its plans by each library that it plans on

    def plans(self, size: Size) -> bool:
        """Whether the size can be asked for."""
        return self.keeps_groups or size.groups == 1


def slots_of(result: Any) -> Numbers:
    """The expert in each slot, [layers, slots], of whatever a planner gives."""
    table = np.asarray(result)
    return table.reshape(len(table), -1).astype(np.int64)


def in_order(layers: int, experts: int, size: Size) -> Numbers:
    """What engines start with: experts in order, evenly over the GPUs, and in the slots that are left the next ones."""
    first = np.arange(size.gpus)[:, None] * (experts // size.gpus)
    table = (first + np.arange(size.replicas // size.gpus)) % experts
    return np.tile(table.reshape(-1), (layers, 1))


def tokens_of_slots(window: Numbers, slots: Numbers) -> Numbers:
    """Tokens of the slots in use in each step, replicas sharing equally: [steps, layers, slots]."""
    held = np.stack([np.bincount(layer, minlength=window.shape[-1]) for layer in slots])
    share = window / np.maximum(held, 1)
    return np.take_along_axis(share, np.broadcast_to(slots, (len(window), *slots.shape)), axis=-1)
