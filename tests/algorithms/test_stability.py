"""Plans that must not change from one version to the next: docs/stability.md says when they may."""

import zlib

import numpy as np
import pytest

from eplb_xp import Plan, rebalance_experts
from tests.support.libraries import NumPyArray

# A change of one of these, greedy's apart, goes with a minor version and a note in CHANGELOG.md.
SIZES = {"hierarchical": (80, 8, 2, 8), "global": (96, 1, 1, 16)}
CHECKSUMS = {
    ("greedy", "hierarchical"): 0x8C394083,
    ("greedy", "global"): 0xC295EC5E,
    ("swap", "hierarchical"): 0x432741A3,
    ("swap", "global"): 0x30DBFE24,
    ("multistart", "hierarchical"): 0x97B32D8E,
    ("multistart", "global"): 0xAAB27C57,
    ("joint", "hierarchical"): 0x809B1BC6,
    ("joint", "global"): 0xC6EBEFA7,
    ("ring", "hierarchical"): 0xE6A65642,
    ("ring", "global"): 0x1F89B57B,
}


def loads() -> NumPyArray:
    """Loads with ties and idle experts that no version of any library changes: [8, 64] integers."""
    index = np.arange(8 * 64, dtype=np.int64)
    return ((index * index * 7919 + index * 104729) % 10007 * (index % 11 != 3) // (1 + index % 7)).reshape(8, 64)


@pytest.mark.parametrize(("policy", "sizes"), CHECKSUMS)
def test_plans_are_those_of_the_first_version(policy: str, sizes: str) -> None:
    plan = rebalance_experts(loads(), *SIZES[sizes], policy=policy)
    assert isinstance(plan, Plan)
    assert zlib.crc32(b"".join(x.astype("<i8").tobytes() for x in plan)) == CHECKSUMS[policy, sizes]
