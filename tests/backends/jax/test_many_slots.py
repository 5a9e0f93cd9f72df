"""GPUs of so many slots that JAX's loop over them is not unrolled: the number of a round is traced."""

import jax
import numpy as np
import pytest

from eplb_xp import rebalance_experts, share_tokens
from eplb_xp.backends.jax import UNROLLED
from tests.support.jax_plans import assert_same

pytestmark = pytest.mark.usefixtures("plainly_compiled")

EXPERTS, SLOTS, GPUS = 30, 40, 2
WEIGHT = np.random.default_rng(0).integers(1, 1000, (2, EXPERTS)).astype(np.int32)
PLAN = rebalance_experts(WEIGHT, SLOTS, 1, 1, GPUS, policy="greedy")


def test_there_are_so_many() -> None:
    assert SLOTS // GPUS - 1 > UNROLLED


def test_shares() -> None:
    phy2log = PLAN.phy2log.astype(np.int32)
    found = jax.jit(lambda *given: share_tokens((given[0],) * 3, given[1], GPUS))(phy2log, WEIGHT)
    want = share_tokens(PLAN, WEIGHT, GPUS)
    np.testing.assert_array_equal(found.share, want.share)
    np.testing.assert_array_equal(found.rounds, want.rounds)


@pytest.mark.parametrize("policy", ["greedy", "swap", "ring"])
def test_plans(policy: str) -> None:
    found = jax.jit(lambda weight: rebalance_experts(weight, SLOTS, 1, 1, GPUS, policy=policy))(WEIGHT)
    want = rebalance_experts(WEIGHT, SLOTS, 1, 1, GPUS, policy=policy)
    assert_same(found, type(want)(*want))
