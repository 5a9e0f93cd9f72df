"""Frontiers in PyTorch: batches under torch.func, and a division that is captured without a graph break."""

from typing import Any

import numpy as np
import torch
from torch.func import vmap

from eplb_xp import Frontier, frontier, plan_at, rebalance_experts, spend

RNG = np.random.default_rng(0)
SIZES = (9, 1, 1, 3)
WEIGHTS = RNG.lognormal(0, 1, (2, 3, 6)).astype(np.float32)  # [batch, layers, experts]
PREVIOUS = rebalance_experts(WEIGHTS[0, :, ::-1], *SIZES, policy="greedy").phy2log


def bought(previous: Any, weight: Any) -> Any:
    """A frontier, how its moves are best divided, and the plan after these."""
    found = frontier(weight, *SIZES, previous=previous, max_moves=3)
    made = spend(found, 4)
    return *found, *plan_at(found, made), made


def test_batches_of_loads_and_of_previous_plans() -> None:
    each = vmap(bought, in_dims=(None, 0))(torch.asarray(PREVIOUS), torch.asarray(WEIGHTS))
    for i in range(2):
        for ours, theirs in zip(each, bought(PREVIOUS, WEIGHTS[i]), strict=True):
            np.testing.assert_allclose(ours[i].numpy(), theirs, rtol=1e-6, strict=True)
    plans = np.stack([PREVIOUS, PREVIOUS[::-1]])
    each = vmap(bought, in_dims=(0, None))(torch.asarray(plans), torch.asarray(WEIGHTS[0]))
    for i in range(2):
        for ours, theirs in zip(each, bought(plans[i], WEIGHTS[0]), strict=True):
            np.testing.assert_allclose(ours[i].numpy(), theirs, rtol=1e-6, strict=True)


BUSIEST = np.sort(RNG.lognormal(0, 1, (3, 4, 5)), axis=2)[:, :, ::-1].astype(np.float32)


def divided(busiest: Any, total: Any) -> Any:
    """How many moves each layer makes."""
    return spend(Frontier(busiest, busiest, busiest, busiest), total)


def test_batches_of_divisions() -> None:
    totals = np.array([2, 0, 11])
    made = vmap(divided)(torch.asarray(BUSIEST), torch.asarray(totals))
    by_total = vmap(divided, in_dims=(None, 0))(torch.asarray(BUSIEST[0]), torch.asarray(totals))
    for i in range(3):
        np.testing.assert_array_equal(made[i].numpy(), divided(BUSIEST[i], totals[i]))
        np.testing.assert_array_equal(by_total[i].numpy(), divided(BUSIEST[0], totals[i]))


def test_compiled_without_a_graph_break() -> None:
    torch.compiler.reset()
    compiled = torch.compile(divided, fullgraph=True, backend="eager")
    for busiest, total in zip(BUSIEST, (0, 3, 7), strict=True):
        made = compiled(torch.asarray(busiest), torch.tensor(total))
        np.testing.assert_array_equal(made.numpy(), divided(busiest, total))
