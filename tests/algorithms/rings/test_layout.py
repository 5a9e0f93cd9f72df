"""Where on the ring each replica goes: strides, and the positions of the reference."""

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp.algorithms.rings.layout import gpu_of_replica, strides
from eplb_xp.backends.numpy import LIBRARY
from tests.support.loads import thorough
from tests.support.references import rings as reference


@pytest.mark.parametrize("gpus", [*range(1, 41), 60, 64, 72, 128, 256])
def test_strides_are_coprime_to_the_gpus_and_no_two_are_the_same_ring(gpus: int) -> None:
    for turns in (1, 2, 3, 4, 9):
        found = strides(gpus, turns)
        assert found == reference.strides(gpus, turns)
        assert found[0] == 1
        assert all(gcd(step, gpus) == 1 for step in found)
        rings = {min(step, gpus - step) if gpus > 1 else step for step in found}
        assert len(rings) == len(found)
        rest = [step for step in range(1, gpus) if gcd(step, gpus) == 1 and min(step, gpus - step) not in rings]
        assert len(found) == turns or not rest


def test_strides_lie_evenly() -> None:
    assert [strides(32, turns) for turns in (1, 2, 3)] == [[1], [1, 5], [1, 3, 11]]
    assert strides(128, 2) == [1, 11]
    assert strides(6, 3) == [1]


@thorough
@given(
    gpus=st.integers(2, 9),
    more=st.lists(st.integers(0, 8), min_size=1, max_size=9),
)
def test_replicas_are_wanted_on_the_gpus_of_the_reference(gpus: int, more: list[int]) -> None:
    count = [1 + min(n, gpus - 1) for n in more]
    expert = [*range(len(count)), *(e for e, n in enumerate(count) for _ in range(n - 1))]
    rank = [0] * len(count) + [i + 1 for n in count for i in range(n - 1)]
    found = gpu_of_replica(LIBRARY, np.array([count]), np.array([expert]), np.array([rank]), gpus)[0]
    for e, want in enumerate(reference.wanted(count, gpus)):
        its = [int(gpu) for _, gpu in sorted((r, g) for x, r, g in zip(expert, rank, found, strict=True) if x == e)]
        assert count[e] == 1 or its == want
        assert 0 <= min(its) <= max(its) < gpus
