"""Frontiers in PyTorch: batches under torch.func, and a division that is captured without a graph break."""

from typing import Any

import numpy as np
import torch
from torch.func import vmap

from eplb_xp import Frontier, frontier, plan_at, rebalance_experts, spend
from eplb_xp.algorithms.following.path import Best, _lighter, _Path
from eplb_xp.algorithms.following.system import Placing
from eplb_xp.backends.tensors.library import LIBRARY

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


class Judged(torch.nn.Module):
    """Placings of a path one after the other, of which the best of each number of moves are kept."""

    def forward(self, busiest: torch.Tensor, spent: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rounds, rows = busiest.shape
        none = torch.zeros(rows, 4, 1)
        best = Best(none.to(torch.int64), none, torch.full((rows, 4), torch.inf))

        def judge(path: Any) -> Any:
            now, total = path.round[0], torch.index_select(busiest, 0, path.round).T
            found = Best(now.expand(rows, 1, 1), total[:, :, None], total)
            lighter = _lighter(LIBRARY, path, found, torch.index_select(spent, 0, path.round).T)
            return path._replace(round=path.round + 1, best=lighter)

        goes_on = torch.ones(rows, 1, dtype=torch.bool)
        start = Placing(goes_on, goes_on, goes_on)
        path = _Path(start, goes_on, goes_on, goes_on, torch.zeros(1, dtype=torch.int64), best)
        return tuple(LIBRARY.while_loop(lambda path: (path.round < rounds)[0], judge, path).best)


def test_the_best_of_each_number_of_moves_are_exported() -> None:
    """Inside of a loop of torch, where their number is not known before; a whole frontier takes half a minute."""
    busiest = torch.tensor([[5.0], [3.0], [4.0], [2.0], [1.0]])
    spent = torch.tensor([[0], [1], [1], [3], [7]])
    exported = torch.export.export(Judged(), (busiest, spent), strict=False)
    expert, of_each, total = exported.module()(busiest, spent)
    assert total.tolist() == [[5.0, 3.0, torch.inf, 1.0]]
    assert of_each[..., 0].tolist() == [[5.0, 3.0, 0.0, 1.0]]
    assert expert[..., 0].tolist() == [[0, 1, 0, 4]]
