"""Plans that may be made anew, by native code, are those of the once-written code, bit for bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Plan
from eplb_xp.algorithms.following import follow as once_written
from eplb_xp.backends.launching import follows_from_numpy, from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from eplb_xp.sizes import Sizes as CheckedSizes
from tests.backends.native.test_following import KINDS, few, its_settings, sizes_and_settings
from tests.support.following import Sizes, cases, placement
from tests.support.libraries import NumPyArray
from tests.support.native import LANES, every_lanes, needs_native, poisoned
from tests.support.plans import assert_same
from tests.support.references.beginning import rules_of

pytestmark = needs_native

STEPS = (once_written.renew, once_written.follow_or_renew)
every_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
Step = Callable[..., Any]


def of_native(step: Step, arrays: tuple[NumPyArray, ...], lanes: int = LANES[-1], **settings: Any) -> Plan[Any]:
    """The plan of native code, which is not refused, from outputs that held something else."""
    with poisoned():
        made = getattr(follows_from_numpy, step.__name__)(LIBRARY, *arrays, **settings, lanes=lanes)
    assert not isinstance(made, Refusal), made.reason
    assert isinstance(made, Plan)
    return made


def assert_renews(step: Step, arrays: tuple[NumPyArray, ...], **settings: Any) -> None:
    """Given the arrays of `follow_or_renew`: the plan is that of the once-written code in all lanes."""
    if step is once_written.renew:
        settings = {name: settings[name] for name in ("sizes", "policy", "divides")}
        arrays = arrays[:1] + arrays[2:]
    expected = LIBRARY.call(step, *arrays, **settings)
    for lanes in LANES:
        assert_same(of_native(step, arrays, lanes, **settings), expected)


@st.composite
def arrays(
    draw: st.DrawFn, shape: tuple[int, int, int], sizes: Sizes, cap: int | None, most_moves: int
) -> tuple[NumPyArray, ...]:
    """What `follow_or_renew` is given; the fresh plan is any, or that in use with its GPUs in another order."""
    case = draw(cases(shape, sizes, cap, most_moves))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rules = rules_of(case.weight, sizes, cap)
    fresh = np.array([placement(rng, rules) for _ in case.previous]).reshape(case.previous.shape)
    if draw(st.booleans()):
        by_node = fresh.reshape(len(fresh), rules.nodes, -1, rules.capacity)
        again = rng.permuted(by_node, axis=2).reshape(fresh.shape)
        case = case._replace(previous=np.where(rng.random(fresh.shape) < 0.2, -1, again))
    gain = rng.choice([0.0, 0.0, 0.05, 0.3], (shape[0], 1)).astype(np.float32)
    return case.previous, case.budget[:, None].astype(np.int64), gain, fresh, case.weight


@few
@given(data=st.data())
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
@every_step
def test_every_kind_of_plan(step: Step, kind: str, samples: int, data: st.DataObject) -> None:
    sizes, experts, options = KINDS[kind]
    given_arrays = data.draw(arrays((6, samples, experts), sizes, options.get("cap"), 2 * sizes[0]))
    assert_renews(step, given_arrays, **its_settings(sizes, experts, **options))


@every_step
@given(data=st.data(), kind=sizes_and_settings(), samples=st.sampled_from([1, 1, 2]))
def test_plans_are_those_of_the_once_written_code(
    step: Step, data: st.DataObject, kind: tuple[Sizes, int, dict[str, Any]], samples: int
) -> None:
    sizes, experts, options = kind
    given_arrays = data.draw(arrays((3, samples, experts), sizes, options["cap"], 3 * sizes[0]))
    assert_renews(step, given_arrays, **its_settings(sizes, experts, **options))


@pytest.mark.parametrize("sizes", [(96, 1, 1, 48), (128, 16, 4, 64), (150, 1, 1, 10), (80, 8, 8, 16)])
def test_many_gpus_called_as_before(sizes: Sizes) -> None:
    """Trees of the assignment grow long."""
    rng = np.random.default_rng(0)
    weight = np.ones((20, 1, 64), np.float32)
    rules = rules_of(weight, sizes, None)
    previous, fresh = (np.array([placement(rng, rules) for _ in weight]) for _ in range(2))
    none = np.zeros((20, 1), np.int64)
    its = its_settings(sizes, 64)
    assert_renews(once_written.renew, (previous, none, none.astype(np.float32), fresh, weight), **its)


@every_step
@every_lanes
def test_what_is_no_expert_in_a_fresh_plan_is_looked_up_nowhere(step: Step, lanes: int) -> None:
    previous, fresh = np.tile(np.arange(12) % 8, (2, 1)), np.full((2, 12), 2**40)
    fresh[1] = -7
    gain, budget, weight = np.zeros((2, 1), np.float32), np.full((2, 1), 12), np.ones((2, 1, 8), np.float32)
    its = its_settings((12, 1, 1, 4), 8)
    given_arrays: tuple[NumPyArray, ...] = (previous, budget, gain, fresh, weight)
    if step is once_written.renew:
        given_arrays, its = (previous, gain, fresh, weight), {x: its[x] for x in ("sizes", "policy", "divides")}
    found = of_native(step, given_arrays, lanes, **its)
    assert ((found.phy2log >= 0) & (found.phy2log < 8)).all()


@every_step
def test_too_many_pairs_of_gpus_are_refused(step: Step) -> None:
    gpus = 2**14
    its = its_settings((8, 1, 1, 2), 8) | {"sizes": CheckedSizes(gpus, 1, 1, gpus)}
    if step is once_written.renew:
        its = {name: its[name] for name in ("sizes", "policy", "divides")}
    found = getattr(follows_from_numpy, step.__name__)(LIBRARY, np.zeros((0, 1, 8), np.float32), **its)
    assert found == Refusal("native code replaces a plan with at most 67108864 pairs of GPUs, got 268435456")


@pytest.mark.parametrize("name", ["renew", "follow_or_renew"])
def test_arrays_that_do_not_fit_the_shape_are_refused(name: str) -> None:
    integers = np.array([1, 8, 12, 4, 1, 1, 12, 5, 1, 0, 4, 1, 0, 0, 1, 1, 1], np.int32)
    mark, part = np.zeros(1, np.int32), np.ones(1, np.float32)
    slots, gain, weight = np.zeros((2, 12), np.int64), np.zeros(2, np.float32), np.ones((2, 8), np.float32)
    budget = [np.zeros(2, np.int64)] if name == "follow_or_renew" else []
    maps = [np.zeros(number, np.int64) for number in (24, 80, 16)]
    right: list[Any] = [slots, *budget, gain, slots, weight, integers, mark, part, part, *maps]
    call = getattr(from_numpy.extension(), name)
    call(*right, 4, 1)
    for place, array in enumerate(right):
        wrong = [*right[:place], array.reshape(-1)[:-1].copy(), *right[place + 1 :]]
        with pytest.raises(ValueError, match="shape"):
            call(*wrong, 4, 1)
