"""Plans of all numbers of moves by native code are those of the once-written code, bit for bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Frontier
from eplb_xp.algorithms.following import frontier as once_written
from eplb_xp.backends.launching import follows_from_numpy, from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from tests.backends.native.test_following import KINDS, arrays_of, few, its_settings, sizes_and_settings
from tests.support.following import Sizes, cases
from tests.support.frontiers import assert_same
from tests.support.libraries import NumPyArray
from tests.support.native import LANES, needs_native, poisoned

pytestmark = needs_native


def native_frontier(arrays: tuple[NumPyArray, ...], lanes: int = LANES[-1], **settings: Any) -> Frontier[NumPyArray]:
    """The frontier of native code, which is not refused, from outputs that held something else."""
    with poisoned():
        made = follows_from_numpy.frontier(LIBRARY, *arrays, **settings, lanes=lanes)
    assert not isinstance(made, Refusal), made.reason
    return made


def once_written_frontier(arrays: tuple[NumPyArray, ...], **settings: Any) -> Frontier[NumPyArray]:
    made: Frontier[NumPyArray] = LIBRARY.call(once_written.frontier, *arrays, **settings)
    return made


@few
@given(data=st.data(), max_moves=st.sampled_from([0, 1, 3, 8]))
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_plan(kind: str, samples: int, data: st.DataObject, max_moves: int) -> None:
    sizes, experts, options = KINDS[kind]
    previous, *_, weight = arrays_of(data.draw(cases((6, samples, experts), sizes, options.get("cap"))))
    its = its_settings(sizes, experts, **options)
    expected = once_written_frontier((previous, weight), **its, max_moves=max_moves)
    for lanes in LANES:
        assert_same(native_frontier((previous, weight), lanes, **its, max_moves=max_moves), expected)


@given(data=st.data(), kind=sizes_and_settings(), samples=st.sampled_from([1, 1, 2]))
def test_frontiers_are_those_of_the_once_written_code(
    data: st.DataObject, kind: tuple[Sizes, int, dict[str, Any]], samples: int
) -> None:
    sizes, experts, options = kind
    previous, *_, weight = arrays_of(data.draw(cases((2, samples, experts), sizes, options["cap"])))
    its = its_settings(sizes, experts, **options) | {"max_moves": data.draw(st.integers(0, min(sizes[0], 12)))}
    expected = once_written_frontier((previous, weight), **its)
    for lanes in LANES:
        assert_same(native_frontier((previous, weight), lanes, **its), expected)


@pytest.mark.parametrize(
    "values", [[np.nan, 1], [np.inf, 2], [-1, 3], [0.0, 0.0], [1e-45, 1e38], [3e38, 3e38], [2.0**-125, 1.0]]
)
@pytest.mark.parametrize("divides", [True, False])
def test_figures_of_loads_beyond_the_door(values: list[float], divides: bool) -> None:
    """In tokens they may be too many for a float32."""
    weight = np.resize(np.array(values, np.float32), (2, 1, 8))
    previous = np.tile(np.arange(12) % 8, (2, 1))
    its = its_settings((12, 1, 1, 4), 8, divides=divides) | {"max_moves": 3}
    assert_same(native_frontier((previous, weight), **its), once_written_frontier((previous, weight), **its))


def test_threads_divide_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    weight = rng.lognormal(0, 1, (7, 1, 24)).astype(np.float32)
    previous = np.stack([rng.permutation(np.arange(32) % 24) for _ in weight])
    its = its_settings((32, 1, 1, 8), 24) | {"max_moves": 5}
    expected = once_written_frontier((previous, weight), **its)
    for threads in ("2", "9"):
        monkeypatch.setenv(from_numpy.THREADS, threads)
        assert_same(native_frontier((previous, weight), **its), expected)
        none = native_frontier((previous[:0], weight[:0]), **its)
        assert_same(none, Frontier(*(x[:0] for x in expected)))


def test_too_many_numbers_of_moves_are_refused() -> None:
    weight, previous = np.zeros((0, 1, 8), np.float32), np.zeros((0, 12), np.int64)
    its = its_settings((12, 1, 1, 4), 8)
    found = follows_from_numpy.frontier(LIBRARY, previous, weight, **its, max_moves=2**23)
    assert found == Refusal(
        "native code follows a plan with at most 67108864 numbers of moves times replicas, got 100663308"
    )


def test_arrays_that_do_not_fit_the_shape_are_refused() -> None:
    integers = np.array([1, 8, 12, 4, 1, 1, 12, 5, 1, 0, 4, 1, 0, 0, 4, 1, 2], np.int32)
    mark, part = np.array([0, 3], np.int32), np.ones(2, np.float32)
    outputs = [*(np.zeros(number, np.int64) for number in (96, 64)), *(np.zeros(8, np.float32) for _ in range(2))]
    previous, weight = np.zeros((2, 12), np.int64), np.ones((2, 8), np.float32)
    right: list[Any] = [previous, weight, integers, mark, part, part, *outputs]
    frontier = from_numpy.extension().frontier
    frontier(*right, 4, 1)
    for place, array in enumerate(right):
        wrong = [*right[:place], array.reshape(-1)[:-1].copy(), *right[place + 1 :]]
        with pytest.raises(ValueError, match="shape"):
            frontier(*wrong, 4, 1)
    for wrong_mark in (np.array([0, 4], np.int32), np.array([-1, 0], np.int32)):
        with pytest.raises(ValueError, match="shape"):
            frontier(*right[:3], wrong_mark, *right[4:], 4, 1)
    with pytest.raises(TypeError, match="expected 12 arguments, got 10"):
        frontier(*right)
