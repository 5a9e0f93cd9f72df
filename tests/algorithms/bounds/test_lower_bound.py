"""The lower bound against exhaustive search over all counts and all packings, and what each argument gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import evaluate, rebalance_experts
from tests.support.exhaustive import best_busiest, best_busiest_by_node
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import FAMILIES, counts, thorough
from tests.support.plans import report_of
from tests.support.references.bounds import busiest_of_best_split

# What rounding can do to the largest replica, which is a bound as it is.
ROUNDED = 1 + 2**-23

# experts, replicas, GPUs
SMALL = [
    (slots * gpus - spares, slots * gpus, gpus)
    for slots in (1, 2, 3, 4)
    for gpus in (1, 2, 3, 4)
    for spares in range(5)
    if spares < slots * gpus <= 9
]


def bound_of(weight: NumPyArray, sizes: tuple[int, ...], library: Library = NUMPY) -> NumPyArray:
    """The bound of each layer, for replicas, groups, nodes and GPUs."""
    _, groups, nodes, gpus = sizes
    made = rebalance_experts(weight, *sizes, policy="greedy")
    report = library.run(evaluate, made, weight, num_gpus=gpus, num_groups=groups, num_nodes=nodes)
    bound: NumPyArray = report.lower_bound
    return bound


@thorough
@given(data=st.data())
def test_the_best_of_all_global_plans_is_not_below_the_bound(data: st.DataObject) -> None:
    experts, replicas, gpus = data.draw(st.sampled_from(SMALL))
    weight = data.draw(counts((1, experts)))
    [bound] = bound_of(weight, (replicas, 1, 1, gpus))
    assert bound <= best_busiest(weight[0], replicas, gpus) * ROUNDED


@given(weight=counts((3, 4)))
def test_the_best_of_all_hierarchical_plans_is_not_below_the_bound(weight: NumPyArray) -> None:
    for sizes in [(8, 2, 2, 4), (8, 4, 2, 4), (6, 4, 2, 2), (4, 2, 2, 2)]:
        replicas, groups, nodes, gpus = sizes
        for load, low in zip(weight, bound_of(weight, sizes), strict=True):
            assert low <= best_busiest_by_node(load, replicas, groups, nodes, gpus) * ROUNDED


def test_how_often_the_bound_is_the_optimum() -> None:
    # docs/design.md has the figures of 20,000 such loads, with up to 12 replicas.
    rng = np.random.default_rng(0)
    families = [FAMILIES[name] for name in ("uniform", "lognormal", "zipf 1.2", "geometric .5", "ties")]
    equal, gap = [], []
    for _ in range(120):
        experts, replicas, gpus = SMALL[rng.integers(len(SMALL))]
        load = np.round(families[rng.integers(len(families))](rng, experts))
        if 1 < gpus < replicas and load.any():
            [bound] = bound_of(load[None], (replicas, 1, 1, gpus))
            gap.append(float(best_busiest(load, replicas, gpus)) / bound - 1)
            equal.append(gap[-1] < 1e-5)
    assert len(gap) > 50
    assert np.mean(equal) > 0.45
    assert np.mean(gap) < 0.02


# Loads, replicas, GPUs, the bound and the optimum.
EXAMPLES = {
    # A pair argument for D'Hondt's counts, three and one, would say 16.
    "other counts": ([24, 2], 4, 2, 13, 13),
    # 9 must share its GPU with 2 at least, whoever else is where; the mean is 10.
    "a pair": ([9, 5, 4, 2], 4, 2, 11, 11),
    # 20 with the three lightest, 1 + 2 + 3; the mean is 13.
    "the lightest together": ([20, 1, 2, 3, 4, 4, 5, 13], 8, 2, 26, 26),
    # Whichever expert the spare goes to, three replicas are above 6, and one below 3 for each would take two of 1.
    "one spare": ([9, 8, 7, 2, 1, 1, 1], 8, 4, 9, 9),
    # Points know nothing of which loads add up to what.
    "a partition": ([5, 5, 5, 4, 3, 3, 0], 8, 4, 6.25, 7),
}


@every_library
@pytest.mark.parametrize("example", EXAMPLES)
def test_examples(library: Library, example: str) -> None:
    load, replicas, gpus, bound, optimum = EXAMPLES[example]
    np.testing.assert_allclose(bound_of(np.array([load]), (replicas, 1, 1, gpus), library), [bound], rtol=5e-6)
    assert best_busiest(load, replicas, gpus) == optimum


@given(data=st.data())
def test_many_groups_are_bounded_by_their_best_split(data: st.DataObject) -> None:
    groups, nodes = data.draw(st.sampled_from([(9, 3), (10, 2), (12, 2), (10, 5)]))
    weight = data.draw(counts((3, groups)))
    for load, low in zip(weight, bound_of(weight, (groups, groups, nodes, nodes)), strict=True):
        assert low <= busiest_of_best_split(load, groups // nodes)
        assert low >= load.sum() / nodes * (1 - 2e-6)


@given(weight=counts((9, 8)))  # more layers than groups, so that the one can't be taken for the other
def test_the_bound_of_up_to_eight_groups_is_their_best_split(weight: NumPyArray) -> None:
    bound = bound_of(weight, (8, 8, 2, 2))
    np.testing.assert_allclose(bound, [busiest_of_best_split(load, 4) for load in weight], rtol=2e-6)


def test_the_bound_is_rounded_down_by_the_documented_margin() -> None:
    # docs/design.md: (2 x 9 bits of 256 experts + 9 slots a GPU + 4) / 2^24
    assert bound_of(np.ones((1, 256)), (288, 1, 1, 32)).tolist() == [8 * (1 - 31 * 2.0**-24)]


def test_two_of_three_heavy_groups_share_a_node() -> None:
    weight = np.array([[10, 10, 10, 1, 1, 1, 1, 1, 1, 1]])
    np.testing.assert_allclose(bound_of(weight, (10, 10, 2, 2)), [23], rtol=2e-6)  # above the mean, 18.5


@every_library
@pytest.mark.parametrize("sizes", [(264, 1, 1, 88), (256, 1, 1, 128), (256, 1, 1, 32)], ids=str)
def test_the_bound_of_real_sizes(library: Library, sizes: tuple[int, ...]) -> None:
    # The busiest expert's GPU is filled up with the lightest others, which the bound knows.
    weight = np.random.default_rng(0).lognormal(0, 1.2, (4, 256)).astype(np.float32)
    made = rebalance_experts(weight, *sizes, policy="swap")
    bound = bound_of(weight, sizes, library)
    np.testing.assert_allclose(bound, bound_of(weight, sizes), rtol=1e-6)
    assert (bound <= report_of(made, weight, sizes).gpu_load.max(axis=1)).all()
