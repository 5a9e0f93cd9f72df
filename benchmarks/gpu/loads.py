"""Loads for plans on the GPU: those that are timed, and those that plans are checked on."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

NumPyArray = np.ndarray[Any, Any]

SEED = 0  # of those that are timed, the same in every run, so that runs compare
SETS = 50  # in turn, so that no plan is that of the loads before
TURNS = 4  # of all sets in one program of JAX, so that what it takes to start counts for little
CHECKED_LAYERS = 58  # at least, of each case

# The loads of one layer.
FAMILIES: dict[str, Callable[[Generator, int], NumPyArray]] = {
    "lognormal": lambda rng, experts: rng.lognormal(5, 1, experts),
    "Zipf": lambda rng, experts: 1e6 * rng.permutation(np.arange(1.0, experts + 1) ** -1.2),
    "small integers": lambda rng, experts: rng.integers(0, 8, experts).astype(np.float64),
    "70 % idle": lambda rng, experts: rng.lognormal(5, 1, experts) * (rng.random(experts) >= 0.7),
}


def timed(layers: int, experts: int) -> NumPyArray:
    """Lognormal loads, sigma 0.6: [sets, layers, experts] float32."""
    rng = np.random.default_rng(SEED)
    return rng.lognormal(0, 0.6, (SETS, layers, experts)).astype(np.float32)


def fresh(layers: int, experts: int, seed: int) -> Iterator[tuple[NumPyArray, list[str]]]:
    """Sets of loads, their layers of each family in turn: [layers, experts] float32, and the families."""
    rng = np.random.default_rng(seed)
    number = 0
    while number < CHECKED_LAYERS:
        families = [[*FAMILIES][(number + layer) % len(FAMILIES)] for layer in range(layers)]
        yield np.stack([FAMILIES[family](rng, experts) for family in families]).astype(np.float32), families
        number += layers
