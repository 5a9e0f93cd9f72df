"""The plans for every number of moves are those of the reference, bit for bit, and so are their figures."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import POLICIES
from eplb_xp.algorithms.following.frontier import frontier
from eplb_xp.backends.numpy import LIBRARY
from tests.support.following import Case, cases
from tests.support.libraries import NumPyArray
from tests.support.references import frontier as reference
from tests.support.references.beginning import loads_of_layers
from tests.support.references.steps import Way
from tests.support.systems import SYSTEMS, System

few = settings(max_examples=max(settings().max_examples // 8, 2))


def assert_as_the_reference(case: Case, system: System, max_moves: int, *, ring: bool = False) -> None:
    static = system.followed(case.weight, POLICIES["ring" if ring else "swap"])
    found = LIBRARY.call(frontier, case.previous, case.weight, **static, max_moves=max_moves)
    way = Way(changes_counts=system.sizes[0] > system.experts and not ring, keeps_links=ring)
    rules = system.rules(case.weight)
    rows = zip(case.previous.tolist(), loads_of_layers(case.samples), strict=True)
    want = [reference.frontier(*row, max_moves, rules, way) for row in rows]
    assert found.phy2log.tolist() == [[each.slots for each in layer] for layer in want]
    assert found.logcnt.tolist() == [[each.counts for each in layer] for layer in want]
    with np.errstate(over="ignore"):  # of loads near the largest float32 a GPU's are infinite
        np.testing.assert_array_equal(found.busiest, figures(want, "busiest") * units(case), strict=True)
    np.testing.assert_array_equal(found.balancedness, figures(want, "balancedness"), strict=True)


def units(case: Case) -> NumPyArray:
    """What the reference's loads are in; those of samples are shares: [layers, 1]."""
    if case.weight.shape[1] > 1:
        return np.ones((len(case.weight), 1), np.float32)
    top = np.where(case.weight >= 2.0**-125, case.weight, np.float32(0)).max(axis=2)
    return np.where(top > 0, np.ldexp(np.float32(1), np.frexp(top)[1] - 1), np.float32(1))


def figures(want: list[list[reference.Bought]], name: str) -> Any:
    return np.array([[getattr(each, name) for each in layer] for layer in want], np.float32)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
@few
@given(data=st.data(), samples=st.integers(1, 2), max_moves=st.integers(0, 6), ring=st.booleans())
def test_frontiers(system: System, data: st.DataObject, *, samples: int, max_moves: int, ring: bool) -> None:
    case = data.draw(cases((1, samples, system.experts), system.sizes, system.cap))
    assert_as_the_reference(case, system, max_moves, ring=ring)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("near", [0, 2], ids=["near", "far"])
def test_longer_paths(near: int, samples: int) -> None:
    """Noise changes them, and what is aimed at differs with the number of moves."""
    rng = np.random.default_rng(samples)
    weight = rng.lognormal(0, 1, (2, samples, 10)).astype(np.float32)
    held = np.concatenate([np.tile(np.arange(10), (2, 1)), rng.integers(0, 10, (2, 6))], axis=1)
    case = Case(rng.permuted(held, axis=1), np.zeros(2), weight)
    assert_as_the_reference(case, System(10, (16, 1, 1, 4), None, near, 3 if near else 1), 10)
