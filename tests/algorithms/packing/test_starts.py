"""The noise of the starts: the same everywhere, uniform, and different in every start."""

import numpy as np
import pytest

from eplb_xp.algorithms.packing.starts import sort_keys
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.policy import Policy
from tests.support.libraries import NumPyArray
from tests.support.references import policies as reference_policies

STARTS, ITEMS = 64, 1000


def u(seed: int) -> NumPyArray:
    """What is uniform in [0, 1), but for the first start, which has no noise: [starts - 1, items]."""
    policy = Policy(starts=STARTS, noise=0.5, seed=seed)
    key = sort_keys(LIBRARY, np.ones((1, ITEMS), np.float32), policy)[0].astype(np.float64)
    assert (key[0] == 1).all()
    noise = np.arange(STARTS) * 2048 // (STARTS - 1) / 4096  # 0.5 in steps, cut to 12 bits
    values: NumPyArray = (key[1:] - 1) / noise[1:, None]
    return values


def test_noise_is_uniform_and_independent() -> None:
    values = u(0)
    assert values.min() >= 0
    assert values.max() < 1
    assert len(np.unique(values[-1])) > 500  # of 2048 levels
    share, _ = np.histogram(values, bins=16, range=(0, 1))
    np.testing.assert_allclose(share / values.size, 1 / 16, rtol=0.05)
    # Of starts, of items next to each other, and of seeds: three standard errors of that many correlations.
    of_starts = np.corrcoef(values)[np.triu_indices(STARTS - 1, 1)]
    assert np.abs(of_starts).max() < 5 / ITEMS**0.5
    assert abs(np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1]) < 3 / values.size**0.5
    for seed in (1, 2, 2**31 - 1):
        assert abs(np.corrcoef(values.ravel(), u(seed).ravel())[0, 1]) < 3 / values.size**0.5


@pytest.mark.parametrize("starts", [1, 2, 5])
def test_keys_are_load_times_noise(starts: int) -> None:
    policy = Policy(starts=starts, noise=0.3, seed=11)
    load = np.random.default_rng(0).random((2, 7)).astype(np.float32)
    noise = np.array([[reference_policies.noise(policy, start, item) for item in range(7)] for start in range(starts)])
    np.testing.assert_array_equal(sort_keys(LIBRARY, load, policy), load[:, None, :] * noise[None])


def test_an_item_s_noise_does_not_depend_on_how_many_there_are() -> None:
    policy = Policy(starts=5)
    many, few = (sort_keys(LIBRARY, np.ones((1, items), np.float32), policy) for items in (9, 4))
    np.testing.assert_array_equal(many[:, :, :4], few)
