"""What loads are like, in three figures."""

import math
from typing import Any, NamedTuple

import numpy as np


class Statistics(NamedTuple):
    """Skew and steadiness of loads.

    Attributes
    ----------
    busiest_over_mean : float
        Busiest expert / mean expert of a layer, loads summed over the steps; the median of the layers that have
        load, NaN where none has.
    coefficient_of_variation : float
        Standard deviation / mean over the experts of a layer, loads summed over the steps; the median of
        the layers that have load, NaN where none has.
    step_correlation : float
        How much a step is like the next one: the correlation between the two of an expert's load relative to the mean
        of its layer, over layers with load in both. NaN where there is no next step, or nothing that varies.
    """

    busiest_over_mean: float
    coefficient_of_variation: float
    step_correlation: float


def statistics(load: np.ndarray[Any, Any]) -> Statistics:
    """Measure loads, generated or recorded.

    Parameters
    ----------
    load : [steps, layers, experts], integers or floats
        Tokens for each logical expert. Layers and steps without load are left out.

    Returns
    -------
    Statistics
        Three floats.

    Raises
    ------
    ValueError
        Where there are not three axes, or one of them is empty.

    Examples
    --------
    >>> statistics(np.array([[[3, 1]], [[3, 1]]]))
    Statistics(busiest_over_mean=1.5, coefficient_of_variation=0.5, step_correlation=1.0)
    """
    if load.ndim != 3 or load.size == 0:
        raise ValueError(f"load must be [steps, layers, experts], none of them 0, got shape {load.shape}")
    total = load.sum(axis=0, dtype=np.float64)
    total = _relative(total[total.max(axis=-1) > 0])
    busy = load.max(axis=-1, keepdims=True) > 0
    step = (_relative(load) - 1) * busy
    now, after = step[:-1] * busy[1:], step[1:] * busy[:-1]
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is promised
        correlation = np.vdot(now, after) / np.sqrt(np.vdot(now, now) * np.vdot(after, after))
    return Statistics(_median(total.max(axis=-1)), _median(total.std(axis=-1)), float(correlation))


def _median(layers: np.ndarray[Any, Any]) -> float:
    return float(np.median(layers)) if layers.size else math.nan


def _relative(load: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Loads as multiples of their layer's mean; 1 in a layer without load."""
    mean = load.mean(axis=-1, keepdims=True, dtype=np.float64)
    return np.divide(load, mean, out=np.ones(load.shape), where=mean > 0)
