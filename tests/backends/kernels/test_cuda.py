"""Triton's kernels on a GPU: from poisoned memory the plans of NumPy, and nothing that makes the host wait."""

import itertools
import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import ml_dtypes
import numpy as np
import pytest
import torch

from eplb_xp import POLICIES, Plan, Policy, rebalance_experts
from eplb_xp.backends.launching import from_torch
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.policy import as_policy
from eplb_xp.sizes import check_sizes
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.loads import FAMILIES
from tests.support.other_libraries import Torch
from tests.support.plans import NAMES, assert_same, plan

pytestmark = pytest.mark.cuda

CUDA = Torch("torch-cuda", "cuda")
Sizes = tuple[int, ...]  # replicas, groups, nodes, GPUs
POISON = -123456  # as a float no number

# Kernels are compiled for each of these, loads are many: experts and sizes, with every policy or joint alone.
GLOBAL, HIERARCHICAL = (64, (80, 1, 1, 8)), (64, (96, 8, 4, 16))
ROUTES = {"global": GLOBAL, "hierarchical": HIERARCHICAL}
SIZES = {
    **ROUTES,
    "three slots a GPU": (32, (48, 1, 1, 16)),
    "every expert on every GPU": (12, (60, 1, 1, 4)),
}
SIZES_OF_JOINT = {
    "two slots a GPU": (30, (40, 1, 1, 20)),
    "18 slots a GPU": (60, (72, 1, 1, 4)),
    "a group a node": (48, (64, 4, 4, 16)),
    "256 experts": (256, (288, 8, 4, 32)),
}
CASES = [
    *((*case, policy) for case in SIZES.values() for policy in POLICIES),
    *((*case, "joint") for case in SIZES_OF_JOINT.values()),
]
CASE_NAMES = [f"{name}-{policy}" for name in SIZES for policy in POLICIES] + [
    f"{name}-joint" for name in SIZES_OF_JOINT
]
LAYERS = (1, 3, 58, 100, 98)  # of the batches of each case
PLANS = 5000
DTYPES = ("float16", "bfloat16", "float64", "int32", "int64", "uint8", "uint16")

every_route = pytest.mark.parametrize(("experts", "sizes"), ROUTES.values(), ids=ROUTES)
every_policy = pytest.mark.parametrize("policy", POLICIES)


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Kernels get poison to write on; the entries of all that they got."""
    given: list[int] = []

    def poison(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        given.append(int(np.prod(shape)))
        return torch.full(shape, POISON, dtype=dtype, device=device)

    monkeypatch.setattr(from_torch, "empty", poison)
    return given


def loads(rng: np.random.Generator, layers: int, experts: int, dtype: str = "float32") -> NumPyArray:
    """Layers of families drawn at random."""
    weight = np.stack([FAMILIES[family](rng, experts) for family in rng.choice(sorted(FAMILIES), layers)])
    kind = np.dtype(dtype)
    # As a float the largest int64 is too large for one.
    largest = min(float(np.iinfo(kind).max), 2.0**62) if kind.kind in "iu" else float(ml_dtypes.finfo(kind).max)
    return np.minimum(weight, min(largest, float(np.finfo(np.float32).max))).astype(kind)


def check(weight: NumPyArray, sizes: Sizes, policy: str | Policy, **options: Any) -> None:
    """The GPU's plan is NumPy's."""
    made = plan(CUDA, weight, sizes, policy=policy, **options)
    assert_same(made, plan(NUMPY, weight, sizes, policy=policy, **options))


def assert_equal(made: tuple[torch.Tensor, ...], weight: torch.Tensor, sizes: Sizes, policy: str | Policy) -> None:
    """The plan that a tensor of loads got is NumPy's."""
    expected = plan(NUMPY, CUDA.values(weight), sizes, policy=policy)
    assert_same(Plan(*(x.numpy(force=True) for x in made)), expected)


def planned(weight: torch.Tensor, sizes: Sizes, policy: str | Policy) -> Plan[torch.Tensor]:
    return rebalance_experts(weight, **dict(zip(NAMES, sizes, strict=True)), policy=policy)


@pytest.mark.parametrize("case", range(len(CASES)), ids=CASE_NAMES)
def test_5000_random_plans(case: int, poisoned: list[int]) -> None:
    """So many in all cases together; each layer is one."""
    experts, sizes, policy = CASES[case]
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
    "counts and starts": replace(POLICIES["joint"], starts=3),
}


@every_route
@pytest.mark.parametrize("policy", OTHER_POLICIES.values(), ids=OTHER_POLICIES)
def test_other_policies(experts: int, sizes: Sizes, policy: Policy, poisoned: list[int]) -> None:
    check(loads(np.random.default_rng(1), 60, experts), sizes, policy)
    assert poisoned


@every_route
@pytest.mark.parametrize("policy", ["swap", "joint"])
def test_max_replicas(experts: int, sizes: Sizes, policy: str, poisoned: list[int]) -> None:
    for most in (2, 3, 50):
        check(loads(np.random.default_rng(2), 60, experts), sizes, policy, max_replicas=most)
    assert poisoned


@pytest.mark.parametrize("policy", ["greedy", "swap", "joint"])
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


@contextmanager
def no_waiting() -> Generator[None]:
    """An error where the host waits for the GPU."""
    with warnings.catch_warnings(action="ignore"):  # that it is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@every_route
@every_policy
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_the_host_never_waits(experts: int, sizes: Sizes, policy: str, dtype: str) -> None:
    rng = np.random.default_rng(7)
    planned(CUDA.asarray(loads(rng, 58, experts, dtype)), sizes, policy)
    weight = CUDA.asarray(loads(rng, 58, experts, dtype))
    with no_waiting():
        made = planned(weight, sizes, policy)
    assert_equal(made, weight, sizes, policy)


@every_route
@every_policy
@pytest.mark.parametrize("is_poisoned", [False, True])
def test_replays_of_a_captured_graph(
    experts: int, sizes: Sizes, policy: str, is_poisoned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With poison every replay begins from it; without, from what the replay before has left."""
    if not is_poisoned:
        monkeypatch.undo()
    rng = np.random.default_rng(8)
    weight = CUDA.asarray(loads(rng, 58, experts))
    planned(weight, sizes, policy)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = planned(weight, sizes, policy)
    for _ in range(4):
        weight.copy_(CUDA.asarray(loads(rng, 58, experts)))
        for x in made:
            x.fill_(POISON)
        graph.replay()
        assert_equal(made, weight, sizes, policy)


@every_route
def test_the_current_stream(experts: int, sizes: Sizes) -> None:
    rng = np.random.default_rng(9)
    old, new = (CUDA.asarray(loads(rng, 58, experts)) for _ in range(2))
    planned(old, sizes, "joint")
    weight = old.clone()
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10**8)  # some 50 ms, in which a plan on any other stream would take the old loads
        weight.copy_(new)
        made = planned(weight, sizes, "joint")
    stream.synchronize()
    assert_equal(made, new, sizes, "joint")


@every_route
def test_plans_on_several_streams_at_once(experts: int, sizes: Sizes) -> None:
    rng = np.random.default_rng(10)
    weights = [CUDA.asarray(loads(rng, 400, experts)) for _ in range(4)]
    planned(weights[0], sizes, "joint")
    torch.cuda.synchronize()
    made = []
    for weight in weights:
        with torch.cuda.stream(torch.cuda.Stream()):
            made.append(planned(weight, sizes, "joint"))
    torch.cuda.synchronize()
    for one, weight in zip(made, weights, strict=True):
        assert_equal(one, weight, sizes, "joint")


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch finds no second CUDA device")
@every_route
def test_a_device_that_is_not_the_current_one(experts: int, sizes: Sizes) -> None:
    values = loads(np.random.default_rng(11), 58, experts)
    with torch.cuda.device(0):
        for device in ("cuda:1", "cuda:0", "cuda:1"):
            weight = torch.asarray(values, device=device)
            made = planned(weight, sizes, "joint")
            assert {x.device for x in made} == {weight.device}
            assert torch.cuda.current_device() == 0
            assert_equal(made, weight, sizes, "joint")


@every_route
@every_policy
def test_compile_without_a_graph_break(experts: int, sizes: Sizes, policy: str, poisoned: list[int]) -> None:
    def step(weight: torch.Tensor) -> tuple[Plan[torch.Tensor], torch.Tensor]:
        made = planned(weight * 2, sizes, policy)
        share = (weight / made.logcnt).gather(-1, made.phy2log)
        return made, share.unflatten(-1, (sizes[-1], -1)).sum(dim=-1)

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True)
    rng = np.random.default_rng(12)
    # With another number of layers torch compiles once more, for any number.
    for layers in (6, 6, 6, 9, 13, 58):
        weight = CUDA.asarray(rng.integers(0, 100, (layers, experts)).astype(np.float32))
        before = len(poisoned)
        made, gpu_load = compiled(weight)
        assert len(poisoned) > before, "the kernels did not run"
        assert_equal(made, weight, sizes, policy)
        torch.testing.assert_close(gpu_load, step(weight)[1])


@every_route
@every_policy
@pytest.mark.parametrize("needs_gradient", [False, True])
def test_the_operator_is_what_torch_expects(experts: int, sizes: Sizes, policy: str, needs_gradient: bool) -> None:
    weight = CUDA.asarray(loads(np.random.default_rng(13), 6, experts)).requires_grad_(needs_gradient)
    operator = torch.ops.eplb_xp.plan.default
    with mock.patch.object(torch.ops.eplb_xp, "plan", wraps=operator) as called:
        from_torch.planned(weight, check_sizes(experts, *sizes), as_policy(policy))
    checks = torch.library.opcheck(operator, called.call_args.args, dict(called.call_args.kwargs))
    assert set(checks.values()) == {"SUCCESS"}


@every_route
@every_policy
def test_the_same_plan_without_kernels(
    experts: int, sizes: Sizes, policy: str, poisoned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = CUDA.asarray(loads(np.random.default_rng(14), 6, experts))
    made = planned(weight, sizes, policy)
    before = len(poisoned)
    assert before
    monkeypatch.setenv(SWITCH, "0")
    assert_same(*(Plan(*map(CUDA.values, one)) for one in (planned(weight, sizes, policy), made)))
    assert len(poisoned) == before, "the kernels ran"


@pytest.mark.parametrize(
    ("shape", "sizes", "reason"),
    [
        ((2, 1025), (1032, 1, 1, 8), "the kernels plan for at most 1024 experts, got 1025"),
        ((2, 1024), (2056, 1, 1, 8), "the kernels plan for at most 2048 replicas, got 2056"),
        ((2, 1000), (1025, 1, 1, 1025), "the kernels plan for at most 1024 GPUs, got 1025"),
        ((0, 64), (80, 1, 1, 8), "there are no layers"),
    ],
)
def test_the_log_says_why_kernels_do_not_run(
    shape: tuple[int, int], sizes: Sizes, reason: str, poisoned: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    weight = np.random.default_rng(15).lognormal(0, 1, shape).astype(np.float32)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        check(weight, sizes, "greedy")
    assert f"plan runs without its kernel: {reason}" in caplog.messages
    assert not poisoned
