"""What is measured, apart from how it is shown."""

import numpy as np
import pytest

from eplb_xp.cli.comparison import compare, contiguous
from eplb_xp.cli.files import summed
from eplb_xp.cli.layout import Layout, least_replicas, usual_gpus
from eplb_xp.cli.planning import Planner


@pytest.mark.parametrize("experts", [1, 7, 8, 9, 20])
def test_contiguous_experts_are_spread_as_evenly_as_can_be(experts: int) -> None:
    load = np.random.default_rng(experts).integers(0, 1000, (3, experts)).astype(np.float64)
    expected = [[part.sum() for part in np.array_split(layer, 8)] for layer in load]
    np.testing.assert_array_equal(contiguous(load, 8), expected)


@pytest.mark.parametrize("largest", [1e-45, 1e-30, 3e38])
def test_comparison_depends_on_ratios_alone(largest: float) -> None:
    load = np.array([[8.0, 4, 2, 1, 0, 0], [0] * 6, [3] * 6])
    layout = Layout(8, 1, 1, 4)
    planned = [Planner("greedy").plan(load, layout)]
    placements, expected = (
        compare(summed(each[None], ""), layout, planned).placements for each in (load * (largest / 8), load)
    )
    assert [placed.name for placed in placements] == ["contiguous", "greedy"]
    for found, wanted in zip(placements, expected, strict=True):
        np.testing.assert_allclose(found.balancedness, wanted.balancedness, rtol=1e-6)
        np.testing.assert_allclose(found.gap, wanted.gap, atol=1e-6)


@pytest.mark.parametrize(
    ("experts", "gpus", "replicas"),
    [(6, 8, 8), (32, 8, 32), (60, 8, 64), (128, 16, 128), (256, 32, 256), (384, 32, 384)],
)
def test_usual_sizes(experts: int, gpus: int, replicas: int) -> None:
    assert usual_gpus(experts) == gpus
    assert least_replicas(experts, gpus) == replicas
    Layout(replicas, 1, 1, gpus).check(experts)
