"""What a policy may be, how it is named, and what caps may be given with it."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from eplb_xp import POLICIES, Policy
from tests.support.calls import CALLS, in_hand_or_traced
from tests.support.libraries import NUMPY, Library

SWAP = POLICIES["swap"]
takes_a_policy = pytest.mark.parametrize("name", ["rebalance", "hierarchical", "packing"])


def test_the_named_policies_are_settings_of_one_pipeline() -> None:
    assert dict(POLICIES) == {
        "greedy": Policy(may_double=True, starts=1, rounds=0),
        "swap": Policy(starts=1, neighbourhood="any", rounds=50, threshold=2.0**-20),
        "multistart": Policy(starts=64, noise=0.2, neighbourhood="lightest", rounds=20, threshold=2.0**-20, seed=0),
        "joint": Policy(rounds=50, finish=200, shakes=2, levels=12, refined=8, generations=20, tolerance=2.0**-13),
        "ring": Policy(rounds=200, threshold=2.0**-10, ring=True),
    }


def test_policies_are_frozen_and_hashable_and_can_be_replaced() -> None:
    with pytest.raises(FrozenInstanceError):
        SWAP.rounds = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        POLICIES["greedy"] = SWAP  # type: ignore[index]
    other = replace(SWAP, rounds=7)
    assert {SWAP: 1, other: 2}[Policy(rounds=7)] == 2


def test_numbers_of_any_kind_become_python_s() -> None:
    policy = Policy(starts=np.int64(3), noise=np.float32(0.5), threshold=0)  # type: ignore[arg-type]
    assert (type(policy.starts), type(policy.noise), type(policy.threshold)) == (int, float, float)
    assert policy == Policy(starts=3, noise=0.5, threshold=0.0)
    assert hash(policy) == hash(Policy(starts=3, noise=0.5, threshold=0.0))


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("may_double", 1, TypeError, "may_double must be True or False, got 1"),
        ("starts", 0, ValueError, "starts must be at least 1, got 0"),
        ("starts", 4097, ValueError, "starts must be at most 4096, got 4097"),
        ("starts", 2.0, TypeError, "starts must be a positive integer, got 2.0 of type float"),
        ("rounds", -1, ValueError, "rounds must be at least 0, got -1"),
        ("rounds", 2**20 + 1, ValueError, "rounds must be at most 1048576, got 1048577"),
        ("rounds", None, TypeError, "rounds must be an integer, got None of type NoneType"),
        ("finish", -1, ValueError, "finish must be at least 0, got -1"),
        ("finish", 2**20 + 1, ValueError, "finish must be at most 1048576, got 1048577"),
        ("levels", -1, ValueError, "levels must be at least 0, got -1"),
        ("levels", 1025, ValueError, "levels must be at most 1024, got 1025"),
        ("levels", 2.5, TypeError, "levels must be an integer, got 2.5 of type float"),
        ("refined", 0, ValueError, "refined must be at least 1, got 0"),
        ("refined", 2049, ValueError, "refined must be at most 2048, got 2049"),
        ("shakes", -1, ValueError, "shakes must be at least 0, got -1"),
        ("shakes", 1025, ValueError, "shakes must be at most 1024, got 1025"),
        ("generations", 0, ValueError, "generations must be at least 1, got 0"),
        ("generations", 1025, ValueError, "generations must be at most 1024, got 1025"),
        ("tolerance", 1.1, ValueError, "tolerance must be between 0 and 1, got 1.1"),
        ("tolerance", float("inf"), ValueError, "tolerance must be between 0 and 1, got inf"),
        ("seed", -1, ValueError, "seed must be at least 0, got -1"),
        ("seed", 2**31, ValueError, "seed must be at most 2147483647, got 2147483648"),
        ("noise", 1.5, ValueError, "noise must be between 0 and 1, got 1.5"),
        ("noise", "0.5", TypeError, "noise must be a number, got '0.5' of type str"),
        ("noise", True, TypeError, "noise must be a number, got True of type bool"),
        ("noise", None, TypeError, "noise must be a number, got None of type NoneType"),
        ("noise", 10**400, ValueError, "noise must be between 0 and 1, got 1000"),
        ("noise", np.True_, TypeError, "noise must be a number, got np.True_"),
        ("noise", 0.5j, TypeError, "noise must be a number, got 0.5j of type complex"),
        ("noise", np.array([0.1]), TypeError, "noise must be a number, got array"),
        ("threshold", -0.1, ValueError, "threshold must be between 0 and 1, got -0.1"),
        ("threshold", float("nan"), ValueError, "threshold must be between 0 and 1, got nan"),
        ("neighbourhood", "all", ValueError, "neighbourhood must be 'any' or 'lightest', got 'all'"),
        ("neighbourhood", ["any"], ValueError, "neighbourhood must be 'any' or 'lightest'"),
        ("neighbourhood", np.array(["any", "x"]), ValueError, "neighbourhood must be 'any' or 'lightest'"),
    ],
)
def test_fields_out_of_range(field: str, value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        replace(SWAP, **{field: value})


def test_other_counts_are_not_for_replicas_that_may_share_a_gpu() -> None:
    with pytest.raises(ValueError, match="may_double must be False, got levels=3"):
        Policy(may_double=True, levels=3)
    assert Policy(may_double=True, levels=0, finish=3).finish == 3


def test_other_counts_are_packed_once() -> None:
    with pytest.raises(ValueError, match="starts must be 1, got starts=2, levels=3"):
        Policy(starts=2, levels=3)
    assert Policy(starts=2, levels=0).starts == 2


@pytest.mark.parametrize(
    ("field", "largest"),
    [
        ("rounds", 2**20),
        ("finish", 2**20),
        ("shakes", 1024),
        ("levels", 1024),
        ("refined", 2048),
        ("generations", 1024),
        ("seed", 2**31 - 1),
    ],
)
def test_fields_at_their_ends(field: str, largest: int) -> None:
    changed: dict[str, Any] = {field: np.int64(largest)}
    value = getattr(replace(SWAP, **changed), field)
    assert value == largest
    assert type(value) is int


@in_hand_or_traced
@takes_a_policy
@pytest.mark.parametrize(
    ("policy", "error", "message"),
    [
        ("best", ValueError, "policy 'best' is not known; the names are 'greedy', 'swap', 'multistart', 'joint'"),
        (3, TypeError, "policy must be a name or a Policy, got 3 of type int; the names are 'greedy'"),
        (None, TypeError, "policy must be a name or a Policy, got None of type NoneType"),
    ],
    ids=["unknown", "number", "none"],
)
def test_policies_that_are_none(library: Library, name: str, policy: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CALLS[name].run(library, policy=policy)


@in_hand_or_traced
@takes_a_policy
def test_a_policy_is_a_name_or_a_policy(library: Library, name: str) -> None:
    call = CALLS[name]
    for one, other in zip(call.run(library, policy="swap"), call.run(library, policy=SWAP), strict=True):
        np.testing.assert_array_equal(one, other)


# The call is of 6 replicas for 4 experts.
@pytest.mark.parametrize(
    ("policy", "max_replicas", "error", "message"),
    [
        ("greedy", 2, ValueError, "'greedy'.* got max_replicas=2: leave it out"),
        (replace(SWAP, may_double=True), 2, ValueError, "may double.* got max_replicas=2: leave it out"),
        ("swap", 0, ValueError, "max_replicas must be at least 1, got 0; nearest that work: max_replicas=2"),
        ("swap", 2.5, TypeError, "max_replicas must be a positive integer, got 2.5 of type float"),
        ("swap", 1, ValueError, "between 2, which 6 replicas of 4 experts take, and 4096, got 1"),
        ("swap", 4097, ValueError, "between 2, which 6 replicas of 4 experts take, and 4096, got 4097"),
    ],
)
def test_caps_that_can_not_be(policy: Any, max_replicas: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CALLS["rebalance"].run(NUMPY, policy=policy, max_replicas=max_replicas)


def test_a_cap_may_be_wider_than_any_expert_needs() -> None:
    plan = CALLS["rebalance"].run(NUMPY, policy="swap", max_replicas=64)
    assert plan.log2phy.shape == (2, 4, 64)
