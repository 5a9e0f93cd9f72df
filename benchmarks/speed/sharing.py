"""What is timed of shares: a batch after the one that was planned for, whose plan is prepared."""

from collections.abc import Callable
from functools import partial

import numpy as np

from eplb_xp import Plan, Shares, prepare_shares, share_tokens
from tests.support.libraries import Library, NumPyArray

# Replicas, groups, nodes, GPUs: rings of one turn, solved exactly, and of two, levelled to the default tolerance.
SHARING = {"shares on rings": (288, 1, 1, 32), "shares by matchings": (320, 1, 1, 32)}
DRIFT = 0.3


def batch_of(load: NumPyArray, seed: int) -> NumPyArray:
    """Tokens of a later batch."""
    rng = np.random.default_rng(seed)
    return rng.poisson(load * rng.lognormal(0, DRIFT, load.shape))


def sharer(library: Library, plan: Plan[NumPyArray], batch: NumPyArray, gpus: int) -> Callable[[], Shares[NumPyArray]]:
    """Share a batch that is there already."""
    prepared = library.call(prepare_shares, plan, gpus)
    return partial(library.call, share_tokens, plan, batch, gpus, prepared=prepared)


def check(shares: Shares[NumPyArray], plan: Plan[NumPyArray], batch: NumPyArray, gpus: int) -> None:
    """They are those of the once-written code."""
    for name, ours, theirs in zip(Shares._fields, shares, share_tokens(plan, batch, gpus), strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=name, strict=True)
