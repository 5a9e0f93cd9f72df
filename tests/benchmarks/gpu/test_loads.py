"""Loads for plans on a GPU: the same for the same seed, and of every family."""

import numpy as np
import pytest

from benchmarks.gpu.loads import CHECKED_LAYERS, FAMILIES, SETS, fresh, timed


def test_loads_are_reproducible_and_of_every_family() -> None:
    assert set(FAMILIES) == {"lognormal", "Zipf", "small integers", "70 % idle"}
    for layers in (1, 3, 58, 1000):
        found = list(fresh(layers, 64, 7))
        assert sum(len(families) for _, families in found) >= CHECKED_LAYERS
        counts = [sum(families.count(family) for _, families in found) for family in FAMILIES]
        assert max(counts) - min(counts) <= 1
        assert all(load.shape == (layers, 64) and load.dtype == np.float32 for load, _ in found)
    (load, families), (again, _), (other, _) = (next(fresh(58, 256, seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(load, again)
    assert (load != other).any()
    of_family = {family: load[[name == family for name in families]] for family in FAMILIES}
    assert 0.65 < (of_family["70 % idle"] == 0).mean() < 0.75
    assert all(len(np.unique(layer)) <= 8 for layer in of_family["small integers"])

    sets = timed(3, 256)
    assert sets.shape == (SETS, 3, 256)
    assert SETS >= 8
    assert np.log(sets).std() == pytest.approx(0.6, abs=0.01)
    np.testing.assert_array_equal(sets, timed(3, 256))
