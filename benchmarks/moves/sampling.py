"""What samples bring: plans for some of a window, and for its sum, judged on the window that follows."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.later.cases import GPT_OSS, V2_LITE
from benchmarks.moves.planning import plan
from benchmarks.quality.sizes import Size
from eplb_xp import evaluate
from eplb_xp.loads import generate, samples
from tests.support.libraries import NumPyArray


class Trace(NamedTuple):
    """Steps, and how they are cut: a window is planned for, the next is what comes."""

    name: str
    size: Size
    steps: Callable[[int], NumPyArray]  # from a seed: [steps, layers, experts]
    window: int
    number: int  # of samples
    half_life: float  # in steps, for what they bring with one
    wanted: tuple[float, float]  # what samples should bring, and at best
    file: Path | None = None

    @property
    def is_there(self) -> bool:
        """Whether the steps can be had."""
        return self.file is None or self.file.exists()


class Brought(NamedTuple):
    """Balance of the window that follows, mean of layers and windows, and of each of its steps."""

    trace: Trace
    mean: float
    samples: float
    recent: float  # of samples with a half-life
    mean_by_step: float
    samples_by_step: float


def recorded(file: Path, _: int) -> NumPyArray:
    """All steps of a recording."""
    with np.load(file) as data:
        load: NumPyArray = data["load"]
    return load


def steady(seed: int) -> NumPyArray:
    """Generated decode steps, whose popularity drifts slowly."""
    return generate("deepseek-v3-decode", steps=80, seed=seed)


TRACES = (
    Trace("gpt-oss-20b, decode", Size(40, 8), partial(recorded, GPT_OSS), 100, 10, 50, (0.01, 0.02), GPT_OSS),
    Trace("DeepSeek-V2-Lite, prefill", Size(72, 8), partial(recorded, V2_LITE), 8, 8, 2, (0.01, 0.02), V2_LITE),
    Trace("DeepSeek-V3, decode, generated", Size(288, 32), steady, 40, 10, 20, (-0.001, 0.0)),
)


def brought(trace: Trace, seed: int) -> Brought:
    """Plan for the sum of a window and for samples of it, and judge both on the next one; all windows side by side."""
    load = trace.steps(seed)
    number = len(load) // trace.window
    windows = load[: number * trace.window].reshape(number, trace.window, *load.shape[1:])
    past, later = windows[:-1], _side_by_side(list(windows[1:]))

    def sampled(half_life: float | None) -> NumPyArray:
        return _side_by_side([samples(window, trace.number, half_life) for window in past])

    figures = []
    for weight in (_side_by_side(list(past)).sum(axis=0), sampled(None), sampled(trace.half_life)):
        made = plan(weight, trace.size)
        whole = evaluate(made, later.sum(axis=0), trace.size.gpus).balancedness.mean()
        figures.append((whole, evaluate(made, later, trace.size.gpus).balancedness.mean()))
    (mean, mean_by_step), (sampled_mean, by_step), (recent, _) = (tuple(map(float, pair)) for pair in figures)
    return Brought(trace, mean, sampled_mean, recent, mean_by_step, by_step)


def _side_by_side(windows: list[NumPyArray]) -> NumPyArray:
    """Windows [steps, layers, experts] as layers of one: [steps, windows * layers, experts]."""
    joined: NumPyArray = np.concatenate(windows, axis=1)
    return joined
