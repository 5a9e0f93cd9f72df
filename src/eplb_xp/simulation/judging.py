"""Placements measured on the steps in which layers have them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from eplb_xp.simulation.arrays import Numbers
from eplb_xp.simulation.cost import Cost
from eplb_xp.simulation.slots import Placement, balancedness, gpu_loads, slot_tokens

ROWS = 4096  # of steps and layers that are measured at once


class Steps(NamedTuple):
    """The trace, which part of it is judged, and what its tokens cost."""

    trace: Numbers  # [steps, layers, experts]
    start: int  # all steps from this one on are judged
    block: int  # steps that are judged together
    num_gpus: int
    cost: Cost | None
    tokens: float | None  # of a layer in a step; those of the trace if None
    busy: Numbers  # [steps, layers] which layers have tokens in which of the steps that are judged

    @property
    def number(self) -> int:
        """How many of the steps that are judged have tokens."""
        return int(self.busy.any(axis=1).sum())

    @property
    def blocks(self) -> int:
        """How many blocks there are; what is left over belongs to the last one."""
        return max((len(self.trace) - self.start) // self.block, 1)

    def block_of(self, step: Numbers) -> Numbers:
        """Which block a step is of."""
        return np.minimum((step - self.start) // self.block, self.blocks - 1)


class Measured:
    """What placements made of the steps, each layer in each step placed once.

    Attributes
    ----------
    gpu_load : [blocks, layers, gpus]
        Tokens of all steps of a block together.
    balance, seconds : [steps, layers]
        Of single steps, from the first that is judged.
    """

    def __init__(self, of: Steps) -> None:
        steps, layers, _ = of.trace.shape
        self.gpu_load = np.zeros((of.blocks, layers, of.num_gpus))
        self.balance, self.seconds = np.ones((2, steps - of.start, layers))
        self._of = of

    def add(self, where: Placement, first: Numbers, end: Numbers) -> None:
        """Measure a placement of each layer on the steps from its first to its end: [layers] both."""
        of = self._of
        for step, layer in _pieces(first, end):
            load = of.trace[step, layer]
            tokens = slot_tokens(where.at(layer), load, of.num_gpus)
            gpu_load = gpu_loads(tokens, of.num_gpus)
            np.add.at(self.gpu_load, (of.block_of(step), layer), gpu_load)
            here = step - of.start, layer
            self.balance[here] = balancedness(gpu_load)
            if of.cost is not None:
                self.seconds[here] = _seconds(of, of.cost, where, load, tokens)


def _seconds(of: Steps, cost: Cost, where: Placement, load: Numbers, tokens: Numbers) -> Numbers:
    """Of rows, given the tokens of their experts and of their slots: [rows]; nothing for those without any."""
    total = load.sum(axis=1, dtype=np.float64)
    if of.tokens is not None:
        tokens = tokens * np.divide(of.tokens, total, out=np.zeros_like(total), where=total > 0)[:, None]
    shares = cost.seconds_per_share if where.prepared is not None else 0.0
    return np.where(total > 0, cost.of_layers(tokens, of.num_gpus) + shares, 0.0)


def _pieces(first: Numbers, end: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Steps and layers between the ends, some at a time."""
    at_once = max(ROWS // len(first), 1)
    for start in range(int(first.min()), int(end.max()), at_once):
        step = np.arange(start, min(start + at_once, int(end.max())))[:, None]
        at, layer = np.nonzero((step >= first) & (step < end))
        yield at + start, layer
