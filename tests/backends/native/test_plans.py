"""Plans by native code are those of the once-written code, bit for bit, in lanes of every width."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import POLICIES, Policy, rebalance_experts
from eplb_xp.sizes import check_sizes
from tests.algorithms import test_stability as stability
from tests.support.libraries import NumPyArray
from tests.support.loads import FAMILIES, batch, every_family, thorough, weights
from tests.support.native import LANES, every_lanes, native_plan, natively, needs_native, once_written_plan
from tests.support.plans import assert_same, policies

pytestmark = needs_native

ring_policies = st.builds(
    Policy, ring=st.just(True), rounds=st.integers(0, 30), threshold=st.sampled_from([0.0, 2.0**-10, 0.01])
)
finishing = st.builds(
    replace, policies, may_double=st.booleans(), finish=st.sampled_from([0, 5, 50]), shakes=st.integers(0, 3)
)
joint_policies = st.builds(
    replace,
    policies,
    starts=st.just(1),
    finish=st.sampled_from([0, 5, 50]),
    shakes=st.integers(0, 2),
    levels=st.integers(1, 12),
    refined=st.sampled_from([1, 3, 8, 20]),
    generations=st.sampled_from([1, 2, 5]),
    tolerance=st.sampled_from([0.0, 2.0**-13, 0.01]),
)
all_policies = st.one_of(st.sampled_from([*POLICIES.values()]), finishing, joint_policies, ring_policies)


@st.composite
def cases(draw: st.DrawFn) -> tuple[NumPyArray, tuple[int, ...], Policy, int | None]:
    """Loads, sizes of all proportions, a policy, and a cap of the counts."""
    nodes, groups_per_node, gpus_per_node = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 9))
    groups, gpus = nodes * groups_per_node, nodes * gpus_per_node
    experts = groups * draw(st.integers(1, 8))
    slots = -(-experts // gpus) + draw(st.sampled_from([0, 0, 1, 1, 2, 3, 8]))
    policy = draw(all_policies)
    caps = st.none() if policy.may_double else st.none() | st.integers(-(-gpus * slots // experts), 4096)
    return draw(weights((2, experts))), (gpus * slots, groups, nodes, gpus), policy, draw(caps)


@thorough
@given(case=cases())
def test_plans_are_those_of_the_once_written_code(case: tuple[NumPyArray, tuple[int, ...], Policy, int | None]) -> None:
    weight, sizes, policy, most = case
    checked = replace(check_sizes(weight.shape[1], *sizes), max_replicas=most)
    expected = once_written_plan(weight, checked, policy)
    for lanes in LANES:
        assert_same(native_plan(weight, checked, policy, lanes), expected)


# replicas, groups, nodes, GPUs: all numbers of slots that are improved in ways of their own, and whole vectors or not.
LARGE = {
    "4 nodes": (80, 8, 4, 16),
    "2 slots": (80, 1, 1, 40),
    "3 slots": (96, 1, 1, 32),
    "4 slots": (84, 1, 1, 21),
    "5 slots": (80, 1, 1, 16),
    "6 slots": (78, 1, 1, 13),
    "9 slots": (72, 1, 1, 8),
    "18 slots": (72, 1, 1, 4),
    "every expert everywhere": (150, 1, 1, 2),
}


@pytest.mark.parametrize("sizes", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("policy", POLICIES)
def test_every_family_of_loads(policy: str, sizes: tuple[int, ...]) -> None:
    weight, checked = every_family(64)[::8], check_sizes(64, *sizes)
    expected = once_written_plan(weight, checked, POLICIES[policy])
    for lanes in LANES:
        assert_same(native_plan(weight, checked, POLICIES[policy], lanes), expected)


@every_lanes
@pytest.mark.parametrize("sizes", [(288, 1, 1, 72), (320, 1, 1, 64)])
def test_of_equal_exchanges_that_with_the_lighter_gpu(sizes: tuple[int, ...], lanes: int) -> None:
    weight, checked = batch("one bit apart", 0, 58, 256)[[14, 21, 43]], check_sizes(256, *sizes)
    expected = once_written_plan(weight, checked, POLICIES["joint"])
    assert_same(native_plan(weight, checked, POLICIES["joint"], lanes), expected)


@every_lanes
@pytest.mark.parametrize("values", [[np.nan, 1], [np.inf, 2], [-1, 3], [-0.0, 0.0], [1e-45, 1e38], [2.0**-125, 1.0]])
def test_loads_beyond_the_door(values: list[float], lanes: int) -> None:
    weight = np.resize(np.array(values, np.float32), (3, 8))
    checked = check_sizes(8, 12, 1, 1, 4)
    for policy in POLICIES.values():
        expected = once_written_plan(weight, checked, policy)
        assert_same(native_plan(weight, checked, policy, lanes), expected)


@pytest.mark.parametrize(("policy", "sizes"), stability.CHECKSUMS)
def test_plans_are_those_of_the_first_version(policy: str, sizes: str) -> None:
    with natively():
        plan = rebalance_experts(stability.loads(), *stability.SIZES[sizes], policy=policy)
    assert stability.checksum(plan) == stability.CHECKSUMS[policy, sizes]


@pytest.mark.parametrize(
    ("layers", "experts", "sizes"),
    [
        (0, 8, (12, 1, 1, 4)),
        (2, 1, (1, 1, 1, 1)),
        (2, 1, (4, 1, 1, 4)),
        (2, 8, (9, 1, 1, 1)),
        (2, 8, (8, 1, 1, 8)),
        (2, 8, (8, 8, 8, 8)),
        (2, 8, (8, 4, 1, 2)),
        (3, 5, (105, 1, 1, 3)),
    ],
)
def test_sizes_at_the_end_of_what_there_is(layers: int, experts: int, sizes: tuple[int, ...]) -> None:
    weight = np.random.default_rng(0).random((layers, experts)).astype(np.float32)
    checked = check_sizes(experts, *sizes)
    for policy in POLICIES.values():
        assert_same(native_plan(weight, checked, policy, 4), once_written_plan(weight, checked, policy))


DTYPES = ("bool", "int8", "uint16", "int64", "float16", "float64", ">f4")


@pytest.mark.parametrize("dtype", DTYPES)
def test_loads_of_other_dtypes(dtype: str) -> None:
    weight: Any = np.concatenate([np.arange(16) % 7, np.arange(16) % 2]).reshape(4, 8).astype(dtype)
    checked = check_sizes(8, 12, 1, 1, 4)
    assert_same(
        native_plan(weight, checked, POLICIES["joint"], 4), once_written_plan(weight, checked, POLICIES["joint"])
    )


def test_loads_that_do_not_lie_in_a_row() -> None:
    base = np.random.default_rng(0).random((16, 12)).astype(np.float32)
    base.flags.writeable = False
    checked = check_sizes(8, 12, 1, 1, 4)
    for weight in (base.T[:, ::2], base[::-2, 4:], base[:, :8].view(Loads)):
        expected = once_written_plan(np.array(weight), checked, POLICIES["swap"])
        assert_same(native_plan(weight, checked, POLICIES["swap"], 4), expected)


class Loads(np.ndarray[Any, Any]):
    """A subclass, of which there are many."""


def test_all_families_are_there() -> None:
    assert len(every_family(64)[::8]) == len(FAMILIES)
