"""Strategies tried on a trace from a file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eplb_xp.cli.errors import UserError, refusals
from eplb_xp.cli.files import Loads
from eplb_xp.cli.layout import Layout
from eplb_xp.simulation import GPUS, MODELS, Cost, Score, Strategy, cost_of, recommend, simulate
from eplb_xp.simulation.cost import check_cost


class Pace(NamedTuple):
    """When plans are made and taken up, in steps."""

    every: int
    window: int
    delay: int
    layers_per_step: int | None


class Prices(NamedTuple):
    """What seconds are counted with."""

    measured: dict[str, float]  # in place of what the GPU and the model have
    gpu: str
    model: str
    overlap: float
    tokens: float | None  # of a layer in a step
    gpus_per_node: int | None

    @property
    def cost(self) -> Cost:
        """Of the GPU and the model, but for what was measured."""
        for option, name, known in (("--gpu", self.gpu, GPUS), ("--model", self.model, MODELS)):
            if name not in known:
                raise UserError(f"{option} must be one of {', '.join(known)}, got {name!r}")
        return cost_of(self.gpu, self.model, overlap=self.overlap)._replace(**self.measured)

    @property
    def expert_bytes(self) -> int:
        """The weights of one expert of one layer."""
        return MODELS[self.model].expert_bytes


def read_cost(path: Path) -> dict[str, float]:
    """What 'eplb-xp measure --json' has written, or such an object with fields of a cost alone."""
    with refusals(path):
        try:
            document = json.loads(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"a cost must be JSON, as 'eplb-xp measure --json' writes it: {error}") from error
        fields = document.get("cost", document) if isinstance(document, dict) else None
        if not isinstance(fields, dict) or not fields or not set(fields) <= set(Cost._fields):
            raise ValueError(f"a cost must be an object with some of {', '.join(Cost._fields)}, got {document!r:.200}")
        try:
            check_cost(Cost(0.0, 0.0)._replace(**fields))
        except TypeError as error:  # what is no number
            raise ValueError(str(error)) from error
        return fields


class Simulated(NamedTuple):
    """What strategies came to."""

    loads: Loads
    layout: Layout
    pace: Pace
    prices: Prices
    scores: tuple[Score, ...]
    recommendation: str
    idle_steps: int  # of those judged
    idle_layers: int


def try_all(
    loads: Loads,
    layout: Layout,
    strategies: Sequence[Strategy],
    *,
    pace: Pace,
    prices: Prices,
    announce: Callable[[str], None],
) -> Simulated:
    """Simulate, and say what to take."""
    trace = loads.over_time
    cost = prices.cost
    with refusals():
        scores = simulate(
            trace,
            *layout,
            strategies=strategies,
            window=pace.window,
            delay=pace.delay,
            layers_per_step=pace.layers_per_step,
            gpus_per_node=prices.gpus_per_node,
            cost=cost,
            tokens=prices.tokens,
            announce=announce,
        )
        advice = recommend(scores)
    busy = trace[-len(scores[0].balance) :].max(axis=2) > 0
    idle = [int(np.count_nonzero(~busy.any(axis=axis))) for axis in (1, 0)]
    return Simulated(loads, layout, pace, prices, tuple(scores), advice, *idle)
