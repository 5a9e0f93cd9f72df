"""Plans that follow others by native code are those of the once-written code, bit for bit, in lanes of every width."""

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import POLICIES, Plan, rebalance_experts
from eplb_xp.algorithms.following import follow as once_written
from eplb_xp.backends.launching import follows_from_numpy, from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from eplb_xp.sizes import Sizes as CheckedSizes
from eplb_xp.sizes import check_sizes
from tests.support.following import Case, Sizes, cases
from tests.support.libraries import NumPyArray
from tests.support.native import LANES, every_lanes, natively, needs_native, poisoned
from tests.support.plans import assert_same

pytestmark = needs_native

LAYERS = 12


def arrays_of(case: Case, min_gain: float = 0.0) -> tuple[NumPyArray, ...]:
    budget = case.budget[:, None].astype(np.int64)
    return case.previous, budget, np.full(budget.shape, min_gain, np.float32), case.weight


def native_follow(arrays: tuple[NumPyArray, ...], lanes: int = LANES[-1], **settings: Any) -> Plan[NumPyArray]:
    """The plan of native code, which is not refused, from outputs that held something else."""
    with poisoned():
        made = follows_from_numpy.follow(LIBRARY, *arrays, **settings, lanes=lanes)
    assert not isinstance(made, Refusal), made.reason
    return made


def once_written_follow(arrays: tuple[NumPyArray, ...], **settings: Any) -> Plan[NumPyArray]:
    made: Plan[NumPyArray] = LIBRARY.call(once_written.follow, *arrays, **settings)
    return made


def its_settings(sizes: Sizes, experts: int, cap: int | None = None, policy: str = "swap", **near: Any) -> Any:
    checked = replace(check_sizes(experts, *sizes), max_replicas=cap)
    near = {"gpus_per_node": sizes[3], "far_cost": 1, "divides": True, **near}
    return {"sizes": checked, "policy": POLICIES[policy], **near}


# Sizes, experts, and what else there is.
KINDS: dict[str, tuple[Sizes, int, dict[str, Any]]] = {
    "global": ((20, 1, 1, 5), 15, {}),
    "as many replicas as experts": ((12, 1, 1, 4), 12, {}),
    "more GPUs than lanes": ((34, 1, 1, 17), 24, {}),
    "more than a word of GPUs": ((67, 1, 1, 67), 40, {}),
    "groups on nodes": ((24, 6, 3, 6), 18, {}),
    "a cap": ((24, 1, 1, 6), 9, {"cap": 3}),
    "a cap on nodes": ((24, 4, 2, 4), 8, {"cap": 3}),
    "a ring": ((20, 1, 1, 5), 15, {"policy": "ring"}),
    "far moves": ((24, 1, 1, 8), 17, {"gpus_per_node": 2, "far_cost": 3}),
    "far moves on nodes": ((24, 4, 2, 8), 16, {"gpus_per_node": 2, "far_cost": 1000}),
    "many doubles": ((24, 1, 1, 4), 5, {}),
    "one GPU": ((9, 1, 1, 1), 5, {}),
    "one expert": ((6, 1, 1, 3), 1, {}),
    "one slot a GPU": ((9, 1, 1, 9), 6, {}),
}
few = settings(max_examples=-(-settings().max_examples // 12))


@few
@given(data=st.data(), min_gain=st.sampled_from([0.0, 0.0, 0.05, 0.3]))
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_plan(kind: str, samples: int, data: st.DataObject, min_gain: float) -> None:
    sizes, experts, options = KINDS[kind]
    case = data.draw(cases((LAYERS, samples, experts), sizes, options.get("cap"), most_moves=8))
    arrays, its = arrays_of(case, min_gain), its_settings(sizes, experts, **options)
    expected = once_written_follow(arrays, **its)
    for lanes in LANES:
        assert_same(native_follow(arrays, lanes, **its), expected)


@st.composite
def sizes_and_settings(draw: st.DrawFn) -> tuple[Sizes, int, dict[str, Any]]:
    """Sizes of all proportions, caps, nodes of the machine, and policies."""
    nodes, gpus_per_node = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    groups, gpus = nodes * draw(st.integers(1, 3)), nodes * gpus_per_node
    experts = groups * draw(st.integers(1, 8))
    slots = gpus * (-(-experts // gpus) + draw(st.sampled_from([0, 0, 1, 1, 2, 3])))
    cap = draw(st.none() | st.integers(-(-slots // experts), slots))
    near = draw(st.sampled_from([number for number in range(1, gpus + 1) if gpus % number == 0]))
    options = {"gpus_per_node": near, "far_cost": draw(st.sampled_from([1, 1, 2, 5])), "divides": draw(st.booleans())}
    policy = draw(st.sampled_from(["swap", "swap", "ring"]))
    return (slots, groups, nodes, gpus), experts, {"cap": cap, "policy": policy, **options}


@given(data=st.data(), kind=sizes_and_settings(), samples=st.sampled_from([1, 1, 2]))
def test_plans_are_those_of_the_once_written_code(
    data: st.DataObject, kind: tuple[Sizes, int, dict[str, Any]], samples: int
) -> None:
    sizes, experts, options = kind
    case = data.draw(cases((4, samples, experts), sizes, options["cap"], most_moves=sizes[0]))
    arrays, its = arrays_of(case), its_settings(sizes, experts, **options)
    expected = once_written_follow(arrays, **its)
    for lanes in LANES:
        assert_same(native_follow(arrays, lanes, **its), expected)


@every_lanes
def test_what_is_no_expert_or_too_much_is_not_kept(lanes: int) -> None:
    """Where values are not read, nobody looks at a plan in use before."""
    rng = np.random.default_rng(0)
    previous = rng.integers(-3, 12, (40, 12)) * rng.choice([1, 1, 2**40], (40, 12))
    weight = rng.lognormal(0, 1, (40, 1, 8)).astype(np.float32)
    budget, none = rng.integers(0, 20, (40, 1)), np.zeros((40, 1), np.float32)
    its = its_settings((12, 4, 2, 4), 8, 2)
    arrays = previous, budget, none, weight
    assert_same(native_follow(arrays, lanes, **its), once_written_follow(arrays, **its))


@pytest.mark.parametrize("values", [[np.nan, 1], [np.inf, 2], [-1, 3], [0.0, 0.0], [1e-45, 1e38], [2.0**-125, 1.0]])
def test_loads_beyond_the_door(values: list[float]) -> None:
    weight = np.resize(np.array(values, np.float32), (2, 2, 8))
    previous = np.tile(np.arange(12) % 8, (2, 1))
    arrays = previous, np.full((2, 1), 3), np.zeros((2, 1), np.float32), weight
    its = its_settings((12, 1, 1, 4), 8)
    assert_same(native_follow(arrays, **its), once_written_follow(arrays, **its))


@pytest.mark.parametrize("max_moves", [7, np.array([3, 40, 12])])
def test_plans_within_budgets_of_all_sizes(max_moves: Any) -> None:
    """The fresh one is taken where it is better, and within the budget."""
    rng = np.random.default_rng(0)
    old, new = rng.lognormal(0, 1, (2, 3, 24)).astype(np.float32)
    sizes = (40, 1, 1, 8)
    previous = rebalance_experts(old, *sizes)
    expected = rebalance_experts(new, *sizes, previous=previous, max_moves=max_moves, min_gain=0.01)
    with natively():
        assert_same(rebalance_experts(new, *sizes, previous=previous, max_moves=max_moves, min_gain=0.01), expected)


def test_threads_divide_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    weight = rng.lognormal(0, 1, (7, 1, 24)).astype(np.float32)
    previous = np.stack([rng.permutation(np.arange(32) % 24) for _ in weight])
    arrays = previous, np.full((7, 1), 5), np.zeros((7, 1), np.float32), weight
    its = its_settings((32, 1, 1, 8), 24)
    expected = once_written_follow(arrays, **its)
    for threads in ("2", "9"):
        monkeypatch.setenv(from_numpy.THREADS, threads)
        assert_same(native_follow(arrays, **its), expected)
        assert_same(native_follow(tuple(x[:0] for x in arrays), **its), Plan(*(x[:0] for x in expected)))


@pytest.mark.parametrize(
    ("experts", "slots", "gpus", "samples", "reason"),
    [
        (8, 512, 2, 1, "255 slots a GPU, got 256"),
        (2**15, 2**15, 2**12, 1, "67108864 experts times GPUs, got 134217728"),
        (8, 2**20, 2**13, 2**7, "67108864 samples times replicas, got 134217728"),
    ],
)
def test_what_is_refused(experts: int, slots: int, gpus: int, samples: int, reason: str) -> None:
    weight, previous = np.zeros((0, samples, experts), np.float32), np.zeros((0, slots), np.int64)
    none = np.zeros((0, 1), np.int64)
    its: dict[str, Any] = {**its_settings((8, 1, 1, 2), 8), "sizes": CheckedSizes(slots, 1, 1, gpus)}
    found = follows_from_numpy.follow(LIBRARY, previous, none, none, weight, **its)
    assert found == Refusal(f"native code follows a plan with at most {reason}")
    arrays = previous, none, none.astype(np.float32), previous, weight
    assert follows_from_numpy.follow_or_renew(LIBRARY, *arrays, **its) == found


def test_without_native_code_it_is_refused() -> None:
    nothing: Any = np.zeros((0, 1, 8), np.float32)
    with mock.patch.object(from_numpy, "extension_for", return_value=Refusal("there is none")):
        found = follows_from_numpy.follow(LIBRARY, *[nothing] * 4, **its_settings((12, 1, 1, 4), 8))
    assert found == Refusal("there is none")


def test_arrays_that_do_not_fit_the_shape_are_refused() -> None:
    """The extension looks at all sizes itself."""
    integers = np.array([1, 8, 12, 4, 1, 1, 12, 5, 1, 0, 4, 1, 0, 0, 1, 1, 1], np.int32)
    mark, part = np.zeros(1, np.int32), np.ones(1, np.float32)
    previous, budget, gain = np.zeros((2, 12), np.int64), np.zeros(2, np.int64), np.zeros(2, np.float32)
    maps = [np.zeros(number, np.int64) for number in (24, 80, 16)]
    follow = from_numpy.extension().follow
    right: list[Any] = [previous, budget, gain, np.ones((2, 8), np.float32), integers, mark, part, part, *maps]
    follow(*right, 4, 1)
    for place, array in enumerate(right):
        wrong = [*right[:place], array.reshape(-1)[:-1].copy(), *right[place + 1 :]]
        with pytest.raises(ValueError, match="shape"):
            follow(*wrong, 4, 1)
    truth_values, cap = {8, 9, 12, 13}, 6
    for place in {*range(len(integers))} - truth_values:
        for value in (-1, 10**6):
            wrong_integers = integers.copy()
            wrong_integers[place] = value
            if (place, value) != (cap, 10**6):
                with pytest.raises(ValueError, match="shape"):
                    follow(*right[:4], wrong_integers, *right[5:], 4, 1)
