"""What every frontier keeps to, on every library; and how its plans compare with those for one number of moves.

Of four draws of twelve layers as `drifted` has them, the balance less that of `rebalance_experts` with as many moves:

| moves            | 1      | 2      | 3      | 4      | 6      | 8      | 12     |
|------------------|--------|--------|--------|--------|--------|--------|--------|
| mean             | .0002  | .0004  | .0000  | .0018  | .0003  | .0001  | -.0003 |
| the worst layer  | .0000  | -.0447 | -.0125 | -.0043 | -.0061 | -.0048 | -.0013 |
| the best layer   | .0060  | .0248  | .0112  | .0263  | .0087  | .0034  | .0004  |
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import evaluate, frontier, plan_at, rebalance_experts, spend
from tests.support.following import Case, Sizes, by_sample, cases, placement
from tests.support.frontiers import assert_buys, assert_figures, assert_same, bought, found_by, of_numpy
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.references.beginning import rules_of
from tests.support.systems import SYSTEMS, System

few = settings(max_examples=max(settings().max_examples // 25, 1))
some = settings(max_examples=max(settings().max_examples // 8, 2))

NEAR = System(8, (12, 4, 2, 4), 3)
FAR = System(8, (12, 1, 1, 4), None, 2, 3)


@every_library
@few
@given(case=cases((6, 1, 8), FAR.sizes))
def test_frontiers_of_far_moves(library: Library, case: Case) -> None:
    found = found_by(library, case, FAR, 3)
    assert_buys(found, case, FAR, 3)
    assert_figures(found, case, FAR)
    assert_same(found, of_numpy(case, FAR, 3), exact=library.name != "jax-vmap")


@every_library
@few
@given(case=cases((4, 2, 8), NEAR.sizes, NEAR.cap))
def test_frontiers_of_samples_in_nodes(library: Library, case: Case) -> None:
    found = found_by(library, case, NEAR, 2)
    assert_buys(found, case, NEAR, 2)
    assert_figures(found, case, NEAR)
    assert_same(found, of_numpy(case, NEAR, 2), exact=False)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
@some
@given(data=st.data(), samples=st.integers(1, 3), max_moves=st.integers(0, 5), policy=st.sampled_from(["swap", "ring"]))
def test_frontiers_of_every_system(
    system: System, data: st.DataObject, *, samples: int, max_moves: int, policy: str
) -> None:
    case = data.draw(cases((2, samples, system.experts), system.sizes, system.cap))
    found = of_numpy(case, system, max_moves, policy=policy)
    assert_buys(found, case, system, max_moves)
    assert_figures(found, case, system)


@every_library
def test_no_layers(library: Library) -> None:
    case = Case(np.zeros((0, 12), np.int32), np.zeros(0, np.int32), np.zeros((0, 1, 8), np.float32))
    found = found_by(library, case, FAR, 2)
    assert [x.shape for x in found] == [(0, 3, 12), (0, 3, 8), (0, 3), (0, 3)]
    assert [x.shape for x in library.run(planned, case.previous, case.weight, sizes=FAR.sizes)] == [
        *((0, 12), (0, 8, 5), (0, 8), (0,))
    ]


def planned(previous: Any, weight: Any, *, sizes: Sizes) -> Any:
    """A plan out of a frontier, and how many moves each layer would make."""
    found = frontier(by_sample(weight), *sizes, previous=previous, max_moves=2)
    return (*plan_at(found, 1), spend(found, 3))


def test_more_moves_than_slots_are_as_many() -> None:
    rng = np.random.default_rng(0)
    weight = rng.lognormal(0, 1, (3, 1, 6)).astype(np.float32)
    previous = np.array([placement(rng, rules_of(weight, (8, 1, 1, 4))) for _ in range(3)])
    near, far = System(6, (8, 1, 1, 4)), System(6, (8, 1, 1, 4), None, 2, 2)
    case = Case(previous, np.zeros(3), weight)
    for system, most in ((near, 8), (far, 16)):
        found = of_numpy(case, system, most)
        assert_buys(found, case, system, most)
        assert_same(of_numpy(case, system, most + 1), found)
        assert_same(of_numpy(case, system, 10**12), found)


def test_of_no_moves_there_is_the_plan_in_use() -> None:
    rng = np.random.default_rng(0)
    weight = rng.lognormal(0, 1, (5, 1, 8)).astype(np.float32)
    previous = np.array([placement(rng, rules_of(weight, FAR.sizes)) for _ in range(5)])
    alone = NUMPY.run(bought, previous, weight, sizes=FAR.sizes, max_moves=0)
    np.testing.assert_array_equal(alone.phy2log[:, 0], previous)
    found = NUMPY.run(bought, previous, weight, sizes=FAR.sizes, max_moves=4)
    np.testing.assert_array_equal(found.phy2log[:, 0], previous)
    np.testing.assert_array_equal(found.busiest[:, :1], alone.busiest)
    assert (found.busiest[:, 1] < found.busiest[:, 0]).all()


def test_layers_do_not_touch_each_other() -> None:
    later, used = drifted(4, 0)
    together = frontier(later, 72, 1, 1, 8, previous=used, max_moves=4)
    for i in (0, 3):
        one = slice(i, i + 1)
        alone = frontier(later[one], 72, 1, 1, 8, previous=used[one], max_moves=4)
        assert_same(alone, type(together)(*(x[one] for x in together)))


def drifted(layers: int, seed: int) -> tuple[NumPyArray, NumPyArray]:
    rng = np.random.default_rng(seed)
    before = rng.lognormal(0, 1, (layers, 64)).astype(np.float32)
    later = before * rng.lognormal(0, 0.3, before.shape).astype(np.float32)
    return later, rebalance_experts(before, 72, 1, 1, 8).phy2log


def test_plans_are_as_good_as_those_for_one_number_of_moves() -> None:
    later, used = drifted(12, 0)
    found = frontier(later, 72, 1, 1, 8, previous=used, max_moves=8)
    differences = []
    for moves in (1, 2, 4, 6, 8):
        plan = rebalance_experts(later, 72, 1, 1, 8, previous=used, max_moves=moves)
        differences.append(found.balancedness[:, moves] - evaluate(plan, later, 8).balancedness)
    # Measured here: -.0006 in the mean where it is worst, .0003 in the mean of all, -.0040 in the worst layer.
    means = np.mean(differences, axis=1)
    assert (means > -0.002).all()
    assert means.mean() > -0.001
    assert np.min(differences) > -0.02
