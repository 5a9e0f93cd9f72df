"""What a layer's time follows: tokens of the busiest GPU, its slots, or both."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import linregress

from benchmarks.moe.rows import Row, by_gpu
from eplb_xp.simulation.arrays import Numbers

MOST_WORTH = 4096.0  # tokens that may take as long as a slot's weights


class Line(NamedTuple):
    """Time against one number."""

    start: float  # seconds
    slope: float  # seconds for each
    r2: float
    error: float  # the median of what it is off, as a part of the time


class Fit(NamedTuple):
    """Time of a GPU's products: by all models, and what the best of them says of a slot."""

    tokens: Line
    active: Line
    both: Line  # a sum over slots of whichever is more, of a number of tokens and `worth`
    worth: float  # tokens

    @property
    def seconds_per_active_slot(self) -> float:
        """What a slot takes whose weights are read for few tokens."""
        return self.worth * self.both.slope


def line(x: Numbers, seconds: Numbers) -> Line:
    """Time as a line over numbers [points]."""
    if x.min() == x.max():  # as on one GPU
        middle = float(np.median(seconds))
        return Line(middle, 0.0, float("nan"), float(np.median(np.abs(middle - seconds) / seconds)))
    found = linregress(x, seconds)
    off = np.abs(found.intercept + found.slope * x - seconds) / seconds
    return Line(float(found.intercept), float(found.slope), float(found.rvalue**2), float(np.median(off)))


def fit(slots: Numbers, seconds: Numbers) -> Fit:
    """Fit the time of products [points], given the tokens of the GPU's slots [points, slots]."""
    best = minimize_scalar(lambda log: -line(weighted(slots, np.exp(log)), seconds).r2, bounds=(0, np.log(MOST_WORTH)))
    worth = float(np.exp(best.x))
    return Fit(
        line(slots.sum(axis=1), seconds),
        line((slots > 0).sum(axis=1), seconds),
        line(weighted(slots, worth), seconds),
        worth,
    )


def of_gpus(rows: list[Row]) -> Fit:
    """Products of every rank and batch."""
    slots, seconds = [], []
    for row in rows:
        slots += list(by_gpu(row))
        seconds += row["products_s"]
    most = max(map(len, slots))
    padded = np.stack([np.pad(each, (0, most - len(each))) for each in slots])
    return fit(padded, np.asarray(seconds))


class Layers(NamedTuple):
    """Time of layers but for finding slots: lines of one slope, one for each number of tokens of a rank."""

    slope: float  # seconds for each of the busiest GPU
    starts: dict[int, float]  # seconds, by tokens
    r2: float  # of what differs among batches of equally many tokens


def rest(row: Row) -> float:
    """Seconds of a layer, on its slowest rank, but for finding slots."""
    return max(np.subtract(row["layer_s"], row["slots_s"]))


def of_layers(rows: list[Row], worth: float) -> Layers:
    """Whole layers, against what their busiest GPU has, a slot with few tokens counting as `worth`."""
    by_tokens: dict[int, list[Row]] = {}
    for row in rows:
        by_tokens.setdefault(row["tokens"], []).append(row)
    points = {tokens: np.array([(busiest(row, worth), rest(row)) for row in its]) for tokens, its in by_tokens.items()}
    x, y = np.concatenate([each - each.mean(axis=0) for each in points.values()]).T
    slope, r2 = (
        (0.0, float("nan")) if np.ptp(x) == 0 else (float(x @ y / (x @ x)), float((x @ y) ** 2 / (x @ x * (y @ y))))
    )
    means = {tokens: each.mean(axis=0) for tokens, each in points.items()}
    return Layers(slope, {tokens: float(y - slope * x) for tokens, (x, y) in means.items()}, r2)


def busiest(row: Row, worth: float) -> float:
    """What the busiest GPU has, in tokens, a slot with few of them counting as `worth`."""
    return float(weighted(by_gpu(row), worth).max())


def weighted(slots: Numbers, worth: float) -> Numbers:
    """The sum over slots [..., slots] with tokens of these, or of `worth` where they are fewer."""
    total: Numbers = np.where(slots > 0, np.maximum(slots, worth), 0).sum(axis=-1)
    return total
