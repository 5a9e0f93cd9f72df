"""Quotas of JAX arrays, of one rank and of all, beside NumPy's."""

from typing import Any

import jax
import numpy as np

from eplb_xp import Plan, Shares, quotas
from tests.support.quota_kernels import Given, expected

OF_ONE, OF_ALL = "eplb_xp_quotas_of_rank", "eplb_xp_quotas"


def arrays_of(given: Given, device: Any) -> tuple[jax.Array, ...]:
    """In the order in which `divided` takes them, the rank as one number; or without it."""
    rank, *others = given
    its_rank = () if rank is None else (rank[0, 0].astype(np.int32),)
    return tuple(jax.device_put(x, device) for x in (*its_rank, *others))


def divided_among_all(*arrays: Any, rank: Any = None) -> Any:
    share, phy2log, log2phy, logcnt, counts = arrays
    gpus = counts[:, :, 0]  # nobody reads more than how many they are
    shares: Any = Shares(share, gpus, *[gpus[:, 0]] * 5)
    return quotas(shares, Plan(phy2log, log2phy, logcnt), counts, num_nodes=2, rank=rank)


def divided(rank: Any, *arrays: Any) -> Any:
    return divided_among_all(*arrays, rank=rank)


def assert_equal(found: Any, given: Given, nodes: int) -> None:
    """Of the dtype that indices have there."""
    np.testing.assert_array_equal(np.asarray(found), expected(given, nodes))
