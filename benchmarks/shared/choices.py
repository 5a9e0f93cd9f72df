"""Tokens' choices of experts, as a router makes them."""

import numpy as np

from eplb_xp.simulation.arrays import Numbers


def choices(rng: np.random.Generator, load: Numbers, tokens: int, number: int) -> Numbers:
    """So many different experts for each token, drawn by loads [experts]: [tokens, number] int32."""
    likely = np.log(load / load.sum()) + rng.gumbel(size=(tokens, len(load)))
    return np.argpartition(-likely, number, axis=-1)[:, :number].astype(np.int32)
