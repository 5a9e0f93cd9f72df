"""What is timed of shares: a batch after the one that was planned for, whose plan is prepared."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from eplb_xp import Plan, Shares, prepare_shares, share_tokens
from tests.support.libraries import Library, NumPyArray, each

# Replicas, groups, nodes, GPUs: rings of one turn, solved exactly, and of two, levelled to the default tolerance.
SHARING = {"shares on rings": (288, 1, 1, 32), "shares by matchings": (320, 1, 1, 32)}
DRIFT = 0.3


def batch_of(load: NumPyArray, seed: int) -> NumPyArray:
    """Tokens of a later batch."""
    rng = np.random.default_rng(seed)
    return rng.poisson(load * rng.lognormal(0, DRIFT, load.shape))


def shared(plan: Any, prepared: Any, batch: Any, *, num_gpus: int) -> Shares[Any]:
    """Arrays come first."""
    return share_tokens(plan, batch, num_gpus, prepared=prepared)


def sharer(library: Library, plan: Plan[NumPyArray], batch: NumPyArray, gpus: int) -> Callable[[], Shares[Any]]:
    """Share a batch that is there already."""
    its_plan, its_batch = each(library.asarray, (plan, batch))
    prepared = library.call(prepare_shares, its_plan, num_gpus=gpus)
    return partial(library.call, shared, its_plan, prepared, its_batch, num_gpus=gpus)


def check(shares: Shares[Any], plan: Plan[NumPyArray], batch: NumPyArray, gpus: int) -> None:
    """They are those of the once-written code, in the library's own integers."""
    for name, ours, theirs in zip(Shares._fields, shares, share_tokens(plan, batch, gpus), strict=True):
        its = np.asarray(ours).astype(theirs.dtype, casting="safe")
        np.testing.assert_array_equal(its, theirs, err_msg=name, strict=True)
