"""Values of layers in short: what has no tokens is balanced whatever the plan, and left out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from eplb_xp.cli.planning import Numbers


class Summary(NamedTuple):
    """The mean and the worst of the layers that have tokens; None where none has."""

    mean: float | None
    worst: float | None
    worst_layer: int | None


def of_balancedness(values: Numbers, busy: Numbers) -> Summary:
    """Of values [layers]; the least is the worst."""
    return _summary(values, busy, np.argmin)


def of_gap(values: Numbers, busy: Numbers) -> Summary:
    """Of values [layers]; the largest is the worst."""
    return _summary(values, busy, np.argmax)


def _summary(values: Numbers, busy: Numbers, worst: Callable[[Numbers], Any]) -> Summary:
    layers = np.flatnonzero(busy)
    if layers.size == 0:
        return Summary(None, None, None)
    layer = int(layers[worst(values[layers])])
    return Summary(float(values[layers].mean()), float(values[layer]), layer)


def four_digits(value: float | None) -> str:
    """As tables and pictures show it."""
    return "-" if value is None else f"{value:.4f}"


def percent(share: float | None) -> str:
    """Three digits or so: 0.004%, 0.02%, 12.3%, 456%."""
    if share is None:
        return "-"
    return f"{share:.{3 if share < 0.0001 else 2 if share < 0.1 else 1 if share < 1 else 0}%}"
