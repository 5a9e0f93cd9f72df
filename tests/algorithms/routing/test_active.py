"""Active experts, loads of 0 and 1: each has one replica, and the busiest GPU hardly ever more than need be."""

from math import ceil

import numpy as np
import pytest

from eplb_xp import probabilities, rebalance_experts, share_tokens
from tests.algorithms.sharing.test_matchings import by_highs
from tests.support.libraries import NumPyArray


@pytest.mark.parametrize("policy", ["ring", "joint", "greedy"])
def test_active_experts_have_one_replica_each(policy: str) -> None:
    rng = np.random.default_rng(0)
    load: NumPyArray = rng.pareto(1.5, (20, 64))
    plan = rebalance_experts(load, 80, 1, 1, 16, policy=policy)
    active: NumPyArray = (rng.random(load.shape) < 1 - np.exp(-load)).astype(np.int64)
    shares = share_tokens(plan, active, 16)
    likely = probabilities(shares, plan)
    layer, expert = np.indices(active.shape)
    slot = plan.log2phy[layer, expert, likely.argmax(axis=-1)]
    np.testing.assert_array_equal(shares.share[layer, slot], active)
    np.testing.assert_array_equal(likely.max(axis=-1)[active == 1], 1)
    for row, slots in enumerate(plan.phy2log.tolist()):
        # Whole tokens, so the best is the least load of all shares, rounded up.
        assert shares.busiest[row] == ceil(by_highs(slots, active[row], 16) - 1e-6)


# Of 300 layers; none elsewhere. docs/routing.md has these figures.
FEW = {("ring", 320): 2, ("swap", 320): 4, ("greedy", 320): 2}


@pytest.mark.parametrize("replicas", [288, 320])
@pytest.mark.parametrize("policy", ["ring", "swap", "greedy"])
def test_few_layers_have_more_on_their_busiest_gpu_than_need_be(policy: str, replicas: int) -> None:
    rng = np.random.default_rng(0)
    load: NumPyArray = rng.pareto(1.5, (300, 256))
    plan = rebalance_experts(load, replicas, 1, 1, 32, policy=policy)
    # 57 to 212 of 256 are active.
    often = np.geomspace(0.3, 5, len(load))[:, None]
    active: NumPyArray = (rng.random(load.shape) < 1 - np.exp(-often * load)).astype(np.int64)
    shares = share_tokens(plan, active, 32)
    more = shares.busiest - np.ceil(shares.lower_bound).astype(np.int64)
    for layer in np.flatnonzero(more):
        best = by_highs(plan.phy2log[layer].tolist(), active[layer], 32)
        more[layer] = shares.busiest[layer] - ceil(best - 1e-6)
    assert np.count_nonzero(more) <= FEW.get((policy, replicas), 0)
    assert more.max() <= 2
