"""Triton's kernels on a GPU as PyTorch has them: in compiled programs, as an operator, switched off, refused."""

import logging
from unittest import mock

import numpy as np
import pytest
import torch

from eplb_xp import Plan
from eplb_xp.algorithms import pipeline
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.backends.tensors.operators import as_operator
from eplb_xp.policy import as_policy
from eplb_xp.sizes import check_sizes
from tests.support.cuda import CUDA, Sizes, assert_equal, check, every_policy, every_route, loads, planned
from tests.support.plans import assert_same

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]


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
        as_operator(pipeline.plan, weight, sizes=check_sizes(experts, *sizes), policy=as_policy(policy))
    checks = torch.library.opcheck(operator, (weight, *called.call_args.args[1:]))
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
