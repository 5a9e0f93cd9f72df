"""Plans after aimed steps are those of the reference, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import POLICIES
from eplb_xp.algorithms.following.follow import follow
from eplb_xp.algorithms.following.for_samples import plan_for_samples
from eplb_xp.algorithms.pipeline import place
from eplb_xp.backends.numpy import LIBRARY
from tests.support.following import Case, cases
from tests.support.libraries import NumPyArray
from tests.support.loads import weights
from tests.support.plans import LIGHT_JOINT
from tests.support.references import following as reference
from tests.support.references.beginning import loads_of_layers, over_samples, rules_of
from tests.support.references.steps import Way
from tests.support.systems import SYSTEMS, System

some = settings(max_examples=max(settings().max_examples // 3, 3))
every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


@every_system
@some
@given(data=st.data(), samples=st.integers(1, 3), min_gain=st.sampled_from([0.0, 0.0, 0.1]), ring=st.booleans())
def test_plans_within_budgets(
    system: System, data: st.DataObject, *, samples: int, min_gain: float, ring: bool
) -> None:
    experts, sizes, cap, *_ = system
    case = data.draw(cases((2, samples, experts), sizes, cap))
    static = system.followed(case.weight, POLICIES["ring" if ring else "swap"])
    least = np.full((2, 1), min_gain, np.float32)
    found = LIBRARY.call(follow, case.previous, case.budget[:, None], least, case.weight, **static)
    way = Way(changes_counts=sizes[0] > experts and not ring, keeps_links=ring)
    rules = system.rules(case.weight)
    rows = zip(case.previous.tolist(), loads_of_layers(case.samples), case.budget.tolist(), strict=True)
    want = [reference.follow(*row, rules, way, min_gain=min_gain) for row in rows]
    assert found.phy2log.tolist() == want


def larger(samples: int) -> Case:
    """Systems in which paths are long, and noise changes them."""
    rng = np.random.default_rng(samples)
    weight = rng.lognormal(0, 1, (6, samples, 10)).astype(np.float32)
    spare = rng.integers(0, 10, (6, 6))
    held = np.concatenate([np.tile(np.arange(10), (6, 1)), spare], axis=1)
    return Case(rng.permuted(held, axis=1), np.array([3, 4, 5, 6, 8, 10]), weight)


@pytest.mark.parametrize(
    "system", [System(10, (16, 1, 1, 4)), System(10, (16, 1, 1, 4), None, 2, 3)], ids=["near", "far"]
)
@pytest.mark.parametrize("samples", [1, 2])
def test_longer_paths(samples: int, system: System) -> None:
    case = larger(samples)
    none, static = np.zeros((6, 1), np.float32), system.followed(case.weight, POLICIES["swap"])
    found = LIBRARY.call(follow, case.previous, case.budget[:, None], none, case.weight, **static)
    rules, loads = system.rules(case.weight), loads_of_layers(case.samples)
    for i, slots in enumerate(found.phy2log.tolist()):
        before, budget = case.previous[i].tolist(), int(case.budget[i])
        assert slots == reference.follow(before, loads[i], budget, rules, Way(), min_gain=0.0)


@every_system
@some
@given(data=st.data(), samples=st.integers(2, 3), divides=st.booleans())
def test_plans_for_samples(system: System, data: st.DataObject, *, samples: int, divides: bool) -> None:
    experts, sizes, cap, *_ = system
    weight: NumPyArray = data.draw(weights((2 * samples, experts))).reshape(2, samples, experts)
    policy = data.draw(st.sampled_from([POLICIES["swap"], LIGHT_JOINT]))
    static, rules = system.static(weight, policy), rules_of(weight, sizes, cap)
    found = LIBRARY.call(plan_for_samples, weight, divides=divides, **static)
    loads = loads_of_layers(weight.transpose(1, 0, 2), divides=divides)
    mean = np.array([[over_samples(list(x)) for x in zip(*each, strict=True)] for each in loads])
    start = LIBRARY.call(place, mean, **static).phy2log.tolist()
    changes = sizes[0] > experts and policy.levels > 0
    rows = zip(start, loads, strict=True)
    assert found.phy2log.tolist() == [reference.freely(*row, rules, changes_counts=changes) for row in rows]
