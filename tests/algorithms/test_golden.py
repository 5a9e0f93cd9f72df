"""Plans against what the published EPLB returned, for the recorded cases beside the repository."""

import numpy as np
import pytest

from eplb_xp import rebalance_experts
from tests.support.libraries import Library, every_library
from tests.support.paths import SHARED

GOLDEN = SHARED / "golden" / "eplb.npz"
SHAPES, LOADS = 11, 7  # the cases come shape by shape, each with seven kinds of load


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"the recorded cases are not there: {GOLDEN}")
@every_library
@pytest.mark.parametrize("shape", range(SHAPES))
def test_plans_are_those_of_eplb(library: Library, shape: int) -> None:
    cases = np.load(GOLDEN)
    assert len(cases["args"]) == SHAPES * LOADS
    for case in range(shape * LOADS, (shape + 1) * LOADS):
        weight, phy2log, log2phy, logcnt = (
            cases[f"{name}_{case:03d}"] for name in ("weight", "phy2log", "log2phy", "logcnt")
        )
        replicas, groups, nodes, gpus = map(int, cases["args"][case])
        plan = library.run(
            rebalance_experts,
            weight,
            num_replicas=replicas,
            num_groups=groups,
            num_nodes=nodes,
            num_gpus=gpus,
            policy="greedy",
        )
        np.testing.assert_array_equal(plan.phy2log, phy2log)
        np.testing.assert_array_equal(plan.logcnt, logcnt)
        known, rest = np.split(plan.log2phy, [log2phy.shape[-1]], axis=-1)
        np.testing.assert_array_equal(known, log2phy)
        assert (rest == -1).all()
