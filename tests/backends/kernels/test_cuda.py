"""Triton's kernels on a GPU: from poisoned memory the plans of NumPy, of any loads, sizes and policies."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from eplb_xp import POLICIES, Policy
from tests.support.cuda import CUDA, ROUTES, Sizes, assert_equal, check, every_route, loads, planned
from tests.support.libraries import NUMPY
from tests.support.plans import assert_same, plan

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]

# Kernels are compiled for each of these, loads are many: experts and sizes, with every policy or one.
SIZES = {
    **ROUTES,
    "three slots a GPU": (32, (48, 1, 1, 16)),
    "every expert on every GPU": (12, (60, 1, 1, 4)),
}
SIZES_OF = {
    "joint": {
        "two slots a GPU": (30, (40, 1, 1, 20)),
        "18 slots a GPU": (60, (72, 1, 1, 4)),
        "a group a node": (48, (64, 4, 4, 16)),
        "256 experts": (256, (288, 8, 4, 32)),
        "36 slots a GPU": (256, (288, 1, 1, 8)),
    },
    "ring": {
        "a turn": (256, (288, 1, 1, 32)),
        "two turns": (256, (320, 1, 1, 32)),
        "a turn of 128 GPUs": (256, (384, 1, 1, 128)),
        "half a turn": (60, (72, 1, 1, 24)),
        "more wanted than there is room for": (9, (35, 1, 1, 7)),
        "18 slots a GPU": (60, (72, 1, 1, 4)),
        "rings of nodes": (256, (288, 8, 4, 32)),
    },
}
CASES = {f"{name}-{policy}": (*case, policy) for name, case in SIZES.items() for policy in POLICIES}
CASES |= {f"{name}-{policy}": (*case, policy) for policy, sizes in SIZES_OF.items() for name, case in sizes.items()}
LAYERS = (1, 3, 58, 100, 98)  # of the batches of each case
PLANS = 5000
DTYPES = ("float16", "bfloat16", "float64", "int32", "int64", "uint8", "uint16")


@pytest.mark.parametrize("case", range(len(CASES)), ids=CASES)
def test_5000_random_plans(case: int, poisoned: list[int]) -> None:
    """So many in all cases together; each layer is one."""
    experts, sizes, policy = [*CASES.values()][case]
    rng = np.random.default_rng(case)
    # Each dtype is compiled for, so a case has two of them.
    dtypes = itertools.cycle(["float32", DTYPES[case % len(DTYPES)]])
    plans = 0
    for layers, dtype in zip(LAYERS, dtypes, strict=False):
        before = len(poisoned)
        check(loads(rng, layers, experts, dtype), sizes, policy)
        assert len(poisoned) > before, "the kernels did not run"
        plans += layers
    assert plans * len(CASES) >= PLANS


OTHER_POLICIES = {
    "doubled, swaps": Policy(may_double=True, rounds=10, finish=5),
    "doubled, starts": Policy(may_double=True, starts=9, rounds=3),
    "starts alone": Policy(starts=5, rounds=0, noise=1.0, seed=2**31 - 1),
    "lightest neighbour": Policy(neighbourhood="lightest", finish=5),
    "no threshold": Policy(threshold=0.0, finish=5),
    "few levels": replace(POLICIES["joint"], levels=3, refined=2, shakes=1),
    "few rounds on a ring": replace(POLICIES["ring"], rounds=3),
    "no threshold on a ring": replace(POLICIES["ring"], threshold=0.0),
}


@every_route
@pytest.mark.parametrize("policy", OTHER_POLICIES.values(), ids=OTHER_POLICIES)
def test_other_policies(experts: int, sizes: Sizes, policy: Policy, poisoned: list[int]) -> None:
    check(loads(np.random.default_rng(1), 60, experts), sizes, policy)
    assert poisoned


@every_route
@pytest.mark.parametrize("policy", ["swap", "joint", "ring"])
def test_max_replicas(experts: int, sizes: Sizes, policy: str, poisoned: list[int]) -> None:
    for most in (2, 3, 50):
        check(loads(np.random.default_rng(2), 60, experts), sizes, policy, max_replicas=most)
    assert poisoned


@pytest.mark.parametrize("policy", ["greedy", "swap", "joint", "ring"])
@pytest.mark.parametrize("gpus", [8, 1024])
def test_the_largest_sizes(gpus: int, policy: str, poisoned: list[int]) -> None:
    check(loads(np.random.default_rng(3), 2, 1024), (2048, 1, 1, gpus), policy)
    assert poisoned


def test_more_programs_than_a_gpu_has_room_for(poisoned: list[int]) -> None:
    experts, sizes = SIZES["three slots a GPU"]
    check(loads(np.random.default_rng(4), 2000, experts), sizes, "joint")
    assert poisoned


@every_route
def test_what_is_no_load_counts_as_zero(experts: int, sizes: Sizes) -> None:
    clean = loads(np.random.default_rng(5), 16, experts)
    clean[:, ::5] = 0
    expected = plan(NUMPY, clean, sizes, policy="swap")
    for bad in (np.nan, np.inf, -np.inf, -1.0, 2.0**-127):
        weight = clean.copy()
        weight[:, ::5] = bad
        assert_same(plan(CUDA, weight, sizes, policy="swap"), expected)


@every_route
def test_any_strides_and_addresses(experts: int, sizes: Sizes, poisoned: list[int]) -> None:
    weight = CUDA.asarray(loads(np.random.default_rng(6), 12, experts))
    spread = torch.full((24, 3 * experts), torch.nan, device="cuda")
    shifted = torch.full((12 * experts + 3,), torch.nan, device="cuda")
    views = [weight, spread[::2, 1::3], weight.T.contiguous().T]
    views += [shifted[i : i + weight.numel()].view(12, experts) for i in range(4)]
    views += [weight]
    for given in views:
        given.copy_(weight)
        before = given.clone()
        assert_equal(planned(given, sizes, "swap"), weight, sizes, "swap")
        assert torch.equal(given, before)
    rows = weight[:1].expand(5, experts)
    assert_equal(planned(rows, sizes, "swap"), rows, sizes, "swap")
    assert poisoned
