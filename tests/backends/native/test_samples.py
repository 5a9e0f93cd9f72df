"""Plans for several samples by native code are those of the once-written code, bit for bit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import POLICIES, Plan, Policy
from eplb_xp.algorithms.following import for_samples as once_written
from eplb_xp.backends.launching import follows_from_numpy, from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from eplb_xp.sizes import Sizes, check_sizes
from tests.backends.native import test_plans
from tests.support.libraries import NumPyArray
from tests.support.native import LANES, needs_native, poisoned
from tests.support.plans import assert_same

pytestmark = needs_native


def native_plan(weight: NumPyArray, lanes: int = LANES[-1], **settings: Any) -> Plan[NumPyArray]:
    """The plan of native code, which is not refused, from outputs that held something else."""
    with poisoned():
        made = follows_from_numpy.plan_for_samples(LIBRARY, weight, **settings, lanes=lanes)
    assert not isinstance(made, Refusal), made.reason
    return made


def once_written_plan(weight: NumPyArray, **settings: Any) -> Plan[NumPyArray]:
    made: Plan[NumPyArray] = LIBRARY.call(once_written.plan_for_samples, weight, **settings)
    return made


@given(case=test_plans.cases(), samples=st.integers(1, 4), divides=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_plans_are_those_of_the_once_written_code(
    case: tuple[NumPyArray, tuple[int, ...], Policy, int | None], samples: int, divides: bool, seed: int
) -> None:
    load, sizes, policy, most = case
    drift = np.random.default_rng(seed).lognormal(0, 1, (len(load), samples, load.shape[1]))
    with np.errstate(all="ignore"):
        weight = (load[:, None, :] * drift).astype(np.float32)
    its: dict[str, Any] = {"sizes": replace(check_sizes(load.shape[1], *sizes), max_replicas=most), "policy": policy}
    expected = once_written_plan(weight, **its, divides=divides)
    for lanes in LANES:
        assert_same(native_plan(weight, lanes, **its, divides=divides), expected)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("sizes", [(48, 1, 1, 12), (64, 8, 4, 16), (160, 1, 1, 4), (40, 1, 1, 40)])
def test_every_policy(policy: str, sizes: tuple[int, int, int, int]) -> None:
    weight = np.random.default_rng(0).lognormal(0, 1, (4, 3, 40)).astype(np.float32)
    its: dict[str, Any] = {"sizes": check_sizes(40, *sizes), "policy": POLICIES[policy], "divides": True}
    for lanes in LANES:
        assert_same(native_plan(weight, lanes, **its), once_written_plan(weight, **its))


@pytest.mark.parametrize("values", [[np.nan, 1], [np.inf, 2], [-1, 3], [0.0, 0.0], [1e-45, 1e38], [2.0**-125, 1.0]])
@pytest.mark.parametrize("divides", [True, False])
def test_loads_beyond_the_door(values: list[float], divides: bool) -> None:
    weight = np.resize(np.array(values, np.float32), (2, 3, 8))
    its: dict[str, Any] = {"sizes": check_sizes(8, 12, 1, 1, 4), "policy": POLICIES["joint"], "divides": divides}
    assert_same(native_plan(weight, **its), once_written_plan(weight, **its))


def test_threads_divide_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = np.random.default_rng(0).lognormal(0, 1, (7, 2, 24)).astype(np.float32)
    its: dict[str, Any] = {"sizes": check_sizes(24, 32, 1, 1, 8), "policy": POLICIES["swap"], "divides": True}
    expected = once_written_plan(weight, **its)
    for threads in ("2", "9"):
        monkeypatch.setenv(from_numpy.THREADS, threads)
        assert_same(native_plan(weight, **its), expected)
        assert_same(native_plan(weight[:0], **its), Plan(*(x[:0] for x in expected)))


def test_what_a_search_can_not_hold_is_refused() -> None:
    its: dict[str, Any] = {"sizes": Sizes(512, 1, 1, 2), "policy": POLICIES["swap"], "divides": True}
    found = follows_from_numpy.plan_for_samples(LIBRARY, np.zeros((0, 2, 8), np.float32), **its)
    assert found == Refusal("native code follows a plan with at most 255 slots a GPU, got 256")


def test_arrays_that_do_not_fit_the_shape_are_refused() -> None:
    """Nor do shapes of two plans."""
    sizes, policy = check_sizes(8, 12, 1, 1, 4), POLICIES["swap"]
    given = [np.ones((2, 3, 8), np.float32), *from_numpy.shape_of(8, sizes, policy)]
    search = np.array([3, 8, 12, 4, 1, 1, 12, 5, 0, 0, 4, 1, 1, 1, 1, 1, 1], np.int32)
    mark, part = np.zeros(1, np.int32), np.ones(1, np.float32)
    maps = [np.zeros(number, np.int64) for number in (24, 80, 16)]
    weight, integers, reals, strides = given
    right: list[Any] = [weight, integers, mark, part, part, reals, search, strides, *maps]
    plan = from_numpy.extension().plan_for_samples
    plan(*right, 4, 1)
    for place, array in enumerate(right):
        changed = array.reshape(-1)[:-1].copy() if array.size else np.zeros(1, array.dtype)
        with pytest.raises(ValueError, match="shape"):
            plan(*right[:place], changed, *right[place + 1 :], 4, 1)
    for number, value in ((1, 6), (2, 16), (3, 2), (5, 2), (7, 6), (14, 2)):
        other = search.copy()
        other[number] = value
        with pytest.raises(ValueError, match="shape"):
            plan(*right[:6], other, *right[7:], 4, 1)
