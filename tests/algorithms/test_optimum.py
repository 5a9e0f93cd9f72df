"""Plans of policy joint against the best there are, where sizes are so small that these can be computed."""

import numpy as np
import pytest

from eplb_xp import POLICIES
from tests.support.exhaustive import best_busiest as best_of_all_plans
from tests.support.loads import batch
from tests.support.optimum import best_busiest
from tests.support.plans import busiest

JOINT = POLICIES["joint"]
# experts, GPUs, their slots, layers
SIZES = [(6, 4, 2, 10), (6, 6, 2, 10), (8, 6, 2, 5), (8, 8, 2, 2), (6, 4, 3, 3), (7, 3, 4, 2)]


def test_plans_are_close_to_the_best_there_are() -> None:
    gaps = []
    for family in ("lognormal", "uniform"):
        for experts, gpus, slots, layers in SIZES:
            weight = batch(family, 3, layers, experts)
            high = busiest(weight, (gpus * slots, 1, 1, gpus), JOINT)
            for load, most in zip(weight.astype(np.float64), high.tolist(), strict=True):
                gaps.append(most / best_busiest(load, gpus, slots, most) - 1)
    assert min(gaps) > -1e-6
    assert np.mean(gaps) <= 0.003
    assert np.median(gaps) < 1e-6


def test_without_a_need_to_double_the_best_plans_are_those_of_an_exhaustive_search() -> None:
    rng = np.random.default_rng(0)
    for gpus, slots in [(3, 2), (2, 3), (4, 2)]:
        # With even loads no replica is split for a GPU of its own expert.
        load = rng.integers(50, 70, gpus * slots - 1).astype(np.float64)
        found = best_busiest(load, gpus, slots, load.sum())
        assert found >= float(best_of_all_plans(load, gpus * slots, gpus)) * (1 - 1e-9)
        assert found == pytest.approx(float(best_of_all_plans(load, gpus * slots, gpus)))
