"""Loads to try the planner on."""

import numpy as np

from eplb_xp.cli.files import Loads

LAYERS, EXPERTS, TOP_K, TOKENS = 12, 64, 6, 100_000


def demo_loads() -> Loads:
    """Loads like a serving engine's: lognormal over the experts, flatter in the first layer, every token counted."""
    random = np.random.default_rng(0)
    spread = np.where(np.arange(LAYERS) == 0, 0.3, 0.8)  # of the logarithms
    popularity = np.exp(spread[:, None] * random.standard_normal((LAYERS, EXPERTS)))
    share = popularity / popularity.sum(axis=1, keepdims=True)
    load = random.multinomial(TOKENS * TOP_K, share)
    return Loads(load.astype(np.float64), "generated loads, lognormal over the experts")
