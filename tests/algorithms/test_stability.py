"""Plans that must not change from one version to the next: docs/stability.md says when they may."""

import zlib
from typing import Any

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

FOLLOWED = {
    ("follow", "hierarchical"): 0xD549ED5A,
    ("follow", "global"): 0x0DF65D7D,
    ("follow or renew", "hierarchical"): 0x5DC201DE,
    ("follow or renew", "global"): 0x4266AFC3,
    ("ring", "hierarchical"): 0x9DD7F492,
    ("ring", "global"): 0xD3D8C3A6,
    ("renew", "hierarchical"): 0x941A7449,
    ("renew", "global"): 0x5B9886F6,
    ("samples within a budget", "hierarchical"): 0x7FAF5BAC,
    ("samples within a budget", "global"): 0x63288F9B,
}
SAMPLES = {
    ("greedy", "hierarchical"): 0xE8F2F5F3,
    ("greedy", "global"): 0x4160CF8D,
    ("swap", "hierarchical"): 0x502309F9,
    ("swap", "global"): 0x8E255CDB,
    ("joint", "hierarchical"): 0xAED4507F,
    ("joint", "global"): 0x5DF6F34E,
    ("ring", "hierarchical"): 0xEBF231E2,
    ("ring", "global"): 0x04B4DE98,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "follow": {"max_moves": 5, "min_gain": 0.001},
    "follow or renew": {"max_moves": np.array([0, 3, 8, 16, 24, 30, 40, 90])},
    "ring": {"policy": "ring", "max_moves": 4},
    "renew": {"policy": "swap"},
    "samples within a budget": {"max_moves": 10, "sample_weights": np.array([1.0, 0.5])},
}


def loads() -> NumPyArray:
    """Loads with ties and idle experts that no version of any library changes: [8, 64] integers."""
    index = np.arange(8 * 64, dtype=np.int64)
    return ((index * index * 7919 + index * 104729) % 10007 * (index % 11 != 3) // (1 + index % 7)).reshape(8, 64)


@pytest.mark.parametrize(("policy", "sizes"), CHECKSUMS)
def test_plans_are_those_of_the_first_version(policy: str, sizes: str) -> None:
    plan = rebalance_experts(loads(), *SIZES[sizes], policy=policy)
    assert checksum(plan) == CHECKSUMS[policy, sizes]


def checksum(plan: Plan[NumPyArray]) -> int:
    assert isinstance(plan, Plan)
    return zlib.crc32(b"".join(x.astype("<i8").tobytes() for x in plan))


@pytest.mark.parametrize(("way", "sizes"), FOLLOWED)
def test_plans_that_follow_are_those_of_the_first_version_that_had_them(way: str, sizes: str) -> None:
    options: dict[str, Any] = {"policy": "joint", **OPTIONS[way]}
    previous = rebalance_experts(loads(), *SIZES[sizes], policy=OPTIONS[way].get("policy", "swap"))
    previous.phy2log[1, ::7] = -1
    # Ties, and experts that were idle and no longer are.
    weight = np.stack([loads()[:, ::-1], loads() % 1000])
    weight = weight if way == "samples within a budget" else weight[0]
    plan = rebalance_experts(weight, *SIZES[sizes], **options, previous=previous)
    assert checksum(plan) == FOLLOWED[way, sizes]


@pytest.mark.parametrize(("policy", "sizes"), SAMPLES)
def test_plans_for_samples_are_those_of_the_first_version_that_had_them(policy: str, sizes: str) -> None:
    weight = np.stack([loads(), loads()[:, ::-1], loads() % 1000])
    assert checksum(rebalance_experts(weight, *SIZES[sizes], policy=policy)) == SAMPLES[policy, sizes]
