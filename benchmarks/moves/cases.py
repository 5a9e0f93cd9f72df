"""Loads that change: those that a plan is in use for, and those that come; and what few moves should reach.

Recordings lie beside the repository, in ../shared/loads, and are not part of it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.later.cases import GPT_OSS
from benchmarks.quality.sizes import Size
from eplb_xp.loads import generate
from tests.support.libraries import NumPyArray

LAYERS, EXPERTS = 58, 256  # of those drawn from a distribution
STEPS = 16  # of those generated after a model, summed

Pair = tuple[NumPyArray, NumPyArray]  # [layers, experts] before, and now


class Wanted(NamedTuple):
    """Balance, mean over layers, that a share of the slots should reach; and at best."""

    moved: float
    reach: float
    aim: float


class Case(NamedTuple):
    """Loads and sizes."""

    name: str
    size: Size
    make: Callable[[int], Pair]  # from a seed
    wanted: tuple[Wanted, ...]
    seeds: int = 3
    file: Path | None = None
    layers: int = LAYERS  # of a model; those of several windows or seeds are more

    @property
    def is_there(self) -> bool:
        """Whether the loads can be made."""
        return self.file is None or self.file.exists()


def drifted(sigma: float, seed: int) -> Pair:
    """Lognormal loads, each changed by a factor whose logarithm has this spread."""
    rng = np.random.default_rng(seed)
    before = rng.lognormal(0, 1, (LAYERS, EXPERTS))
    return before, before * rng.lognormal(0, sigma, before.shape)


def switched(seed: int) -> Pair:
    """Two domains of one model."""
    rng = np.random.default_rng(seed)
    base = generate("deepseek-v3-decode", steps=STEPS, seed=seed).sum(axis=0)
    before, now = (base * rng.lognormal(0, 0.6, base.shape) for _ in range(2))
    return before, now


def recorded(file: Path, window: int, every: int, _: int) -> Pair:
    """Windows of a recording and those that follow, the layers of one pair after those of the other."""
    with np.load(file) as data:
        load = data["load"]
    sums = load[: len(load) // window * window].reshape(-1, window, *load.shape[1:]).sum(axis=1)
    experts = load.shape[-1]
    return sums[:-1:every].reshape(-1, experts), sums[1::every].reshape(-1, experts)


SMALL = partial(drifted, 0.1)
CASES = (
    Case(
        "drift 0.1",
        Size(288, 32),
        SMALL,
        (Wanted(0.05, 0.979, 0.982), Wanted(0.1, 0.995, 0.996), Wanted(0.15, 0.9985, 0.999)),
    ),
    Case("drift 0.3", Size(288, 32), partial(drifted, 0.3), (Wanted(0.1, 0.99, 0.993),)),
    Case("domain switch", Size(288, 32), switched, (Wanted(0.1, 0.98, 0.987), Wanted(0.15, 0.995, 0.997))),
    Case("drift 0.1", Size(320, 64), SMALL, (Wanted(0.1, 0.977, 0.98),)),
    Case("drift 0.1", Size(384, 128), SMALL, (Wanted(0.1, 0.955, 0.96),)),
    Case("drift 0.1", Size(288, 72), SMALL, (Wanted(0.1, 0.96, 0.964),)),
    Case(
        "gpt-oss-20b, next 100 steps",
        Size(40, 8),
        partial(recorded, GPT_OSS, 100, 3),
        (Wanted(0.05, 0.94, 0.95), Wanted(0.1, 0.968, 0.978)),
        seeds=1,
        file=GPT_OSS,
        layers=24,
    ),
)
