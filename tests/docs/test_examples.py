"""The programs of examples/, run as a reader would run them, and the hooks with what the engines give them."""

import re
from enum import Enum, auto
from math import ceil

import numpy as np
import pytest
import torch
import torch.distributed

from eplb_xp import Plan, evaluate, rebalance_experts
from tests.support.examples import load_example, run


def tokens_per_gpu(output: str) -> list[list[int]]:
    return [[int(number) for number in re.findall(r"\d+", line)] for line in output.splitlines()[:3]]


EXAMPLE_NAMES = [
    "jax_moe.py",
    pytest.param(
        "torch_moe.py",
        marks=pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo"),
    ),
]


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_an_example_balances_the_tokens_and_keeps_the_output(name: str) -> None:
    result = run(name)
    assert result.returncode == 0, result.stderr
    before, in_turn, by_shares = tokens_per_gpu(result.stdout)
    assert len(before) == len(in_turn) == len(by_shares) == 4
    assert sum(before) == sum(in_turn) == sum(by_shares) == 4 * 256 * 2  # devices, tokens, experts of a token
    *_, bound, last = result.stdout.splitlines()
    assert max(before) > 1.4 * 512
    assert 1.4 * 512 > max(in_turn) > max(by_shares)
    assert max(by_shares) == ceil(float(bound.split()[-1]))
    assert "equal" in last


@pytest.mark.parametrize(
    ("name", "replicas"), [("jax_moe.py", 18), ("torch_moe.py", 18), ("jax_moves.py", 78), ("torch_moves.py", 78)]
)
def test_an_example_refuses_bad_sizes_in_one_line(name: str, replicas: int) -> None:
    result = run(name, "--replicas", str(replicas))
    assert result.returncode == 2
    assert result.stdout == ""
    assert f"{replicas} is not a multiple of 4" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


LAYERS, EXPERTS, SLOTS, RANKS = 4, 64, 80, 8
LOAD = np.random.default_rng(0).poisson(np.random.default_rng(1).lognormal(5, 1, (3, LAYERS, EXPERTS)))
SUM = LOAD.sum(axis=0)


@pytest.mark.parametrize(("groups", "nodes"), [(8, 2), (1, 2), (1, 1)])
def test_vllm_hook(groups: int, nodes: int) -> None:
    """Loads and the old plan by position; int64 slots in host memory back, which vLLM makes its maps from."""
    hook = load_example("vllm_hook")
    old = torch.arange(SLOTS).remainder(EXPERTS).repeat(LAYERS, 1)
    phy2log = hook.rebalance_experts(torch.asarray(SUM), SLOTS, groups, nodes, RANKS, old)
    assert phy2log.dtype == torch.int64
    assert phy2log.device.type == "cpu"
    expected = rebalance_experts(SUM, SLOTS, groups, nodes, RANKS, policy="joint")
    assert np.array_equal(phy2log.numpy(), expected.phy2log)


class Algorithm(Enum):
    """As SGLang's."""

    deepseek = auto()
    deepseek_hierarchical = auto()
    elasticity_aware_hierarchical = auto()


@pytest.mark.parametrize(
    ("groups", "nodes", "algorithm", "kept"),
    [
        (8, 2, Algorithm.deepseek_hierarchical, True),
        (8, 2, Algorithm.deepseek, False),
        (None, 2, Algorithm.deepseek, False),
        (None, 1, Algorithm.deepseek, False),
    ],
)
def test_sglang_hook(groups: int | None, nodes: int, algorithm: Algorithm, kept: bool) -> None:
    """Keywords, as SGLang gives them, with steps in front; a triple back that it can pad to all slots."""
    hook = load_example("sglang_hook")
    plan = Plan(
        *hook.rebalance_experts(
            tokens_per_expert=torch.asarray(LOAD, dtype=torch.int32),
            num_physical_experts=SLOTS,
            num_local_physical_experts=SLOTS // RANKS,
            num_groups=groups,
            num_nodes=nodes,
            algorithm=algorithm,
        )
    )
    assert plan.log2phy.shape[:2] == (LAYERS, EXPERTS)
    assert plan.log2phy.shape[2] <= SLOTS
    assert torch.equal((plan.log2phy >= 0).sum(dim=-1), plan.logcnt)
    expected = rebalance_experts(SUM, SLOTS, 8 if kept else 1, nodes if kept else 1, RANKS, policy="joint")
    assert np.array_equal(plan.phy2log.numpy(), expected.phy2log)
    if kept:
        evaluate(plan, torch.asarray(SUM), RANKS, num_groups=8, num_nodes=nodes)  # raises where a group is split


def test_sglang_hook_refuses_what_it_would_get_wrong() -> None:
    with pytest.raises(ValueError, match="ranks that are down, as algorithm elasticity_aware_hierarchical does"):
        load_example("sglang_hook").rebalance_experts(
            torch.asarray(LOAD), SLOTS, SLOTS // RANKS, 8, 2, Algorithm.elasticity_aware_hierarchical
        )
