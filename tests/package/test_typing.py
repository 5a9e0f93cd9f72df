"""What goes in comes out, for type checkers too: mypy and pyrefly hold the types asserted here."""

from typing import Any, assert_type

import jax
import jax.numpy as jnp
import numpy as np
import torch

from eplb_xp import (
    Moves,
    Plan,
    Report,
    balanced_packing,
    evaluate,
    expert_loads,
    logical_maps,
    moves,
    probabilities,
    quotas,
    rebalance_experts,
    replicate_experts,
    route,
    share_tokens,
)
from eplb_xp.types import ArrayLike


def test_torch_tensors_in_torch_tensors_out() -> None:
    weight = torch.ones((2, 8))
    plan = rebalance_experts(weight, 12, 1, 1, 4)
    assert_type(plan, Plan[torch.Tensor])
    assert_type(plan.phy2log, torch.Tensor)
    assert_type(evaluate(plan, weight, 4), Report[torch.Tensor])
    assert isinstance(plan.phy2log, torch.Tensor)


def test_what_routes_torch_tensors_is_torch_tensors() -> None:
    counts = torch.ones((2, 4, 8), dtype=torch.int64)
    plan = rebalance_experts(counts.sum(dim=1), 12, 1, 1, 4)
    shares = share_tokens(plan, counts.sum(dim=1), 4)
    quota = quotas(shares, plan, counts, rank=0)
    assert_type(quota, torch.Tensor)
    assert_type(probabilities(shares, plan), torch.Tensor)
    slot = route(torch.arange(8)[:, None], [x[0] for x in plan], quota[0])
    assert_type(slot, torch.Tensor)
    assert isinstance(slot, torch.Tensor)


def test_what_moves_torch_tensors_is_torch_tensors() -> None:
    plan = rebalance_experts(torch.ones((2, 8)), 12, 1, 1, 4)
    assert_type(moves(plan, plan, 4), Moves[torch.Tensor])
    assert_type(moves(plan.phy2log, plan, 4), Moves[torch.Tensor])
    assert_type(moves(plan.phy2log, plan.phy2log, 4).source, torch.Tensor)
    log2phy, _ = logical_maps(plan.phy2log, 8)
    assert_type(log2phy, torch.Tensor)
    assert_type(expert_loads(plan.phy2log, plan.phy2log, 8), torch.Tensor)


def test_jax_arrays_in_jax_arrays_out() -> None:
    weight = jnp.ones((2, 8))
    phy2log, rank, logcnt = replicate_experts(weight, 12)
    assert_type(phy2log, jax.Array)
    assert all(isinstance(x, jax.Array) for x in (phy2log, rank, logcnt))


def test_numpy_arrays_in_numpy_arrays_out() -> None:
    weight: np.ndarray[Any, np.dtype[np.float32]] = np.ones((2, 8), np.float32)
    pack_index, rank_in_pack = balanced_packing(weight, 4)
    assert_type(pack_index, np.ndarray[Any, np.dtype[np.float32]])
    assert all(type(x) is np.ndarray for x in (pack_index, rank_in_pack))


def test_arrays_have_the_protocol() -> None:
    for array in (np.ones(1), torch.ones(1), jnp.ones(1)):
        assert isinstance(array, ArrayLike)
    assert not isinstance([1.0], ArrayLike)
