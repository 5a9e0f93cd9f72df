"""Moves, maps and loads of slots in PyTorch: compiled, and of tensors that have no values."""

from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from eplb_xp import expert_loads, logical_maps, moves, rebalance_experts

RNG = np.random.default_rng(0)
PREVIOUS, PHY2LOG = (rebalance_experts(RNG.pareto(1, (3, 8)), 16, 1, 1, 8).phy2log for _ in range(2))
PREVIOUS[RNG.random(PREVIOUS.shape) < 0.1] = -1
LOAD = RNG.lognormal(0, 4, (3, 16)).astype(np.float32)


def everything(previous: Any, phy2log: Any, load: Any) -> tuple[Any, ...]:
    """Of loads as floats, as integers, and of one step."""
    counts, steps = expert_loads(phy2log, previous, 8), expert_loads(load[None], previous, 8)
    return (
        *moves(previous, phy2log, 8, 2),
        *logical_maps(previous, 8, 9),
        counts,
        expert_loads(load, previous, 8),
        steps,
    )


def assert_as_numpy(found: tuple[Any, ...]) -> None:
    for ours, theirs in zip(found, everything(PREVIOUS, PHY2LOG, LOAD), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_compiled_without_a_graph_break() -> None:
    torch.compiler.reset()
    compiled = torch.compile(everything, fullgraph=True, backend="aot_eager")
    assert_as_numpy(compiled(*map(torch.asarray, (PREVIOUS, PHY2LOG, LOAD))))


def test_tensors_without_values_have_shapes_and_dtypes() -> None:
    with FakeTensorMode() as mode:
        found = everything(*(mode.from_tensor(torch.asarray(x)) for x in (PREVIOUS, PHY2LOG, LOAD)))
    for ours, theirs in zip(found, everything(*map(torch.asarray, (PREVIOUS, PHY2LOG, LOAD))), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    with pytest.raises(TypeError, match=r"call Moves\.bytes outside of jax\.jit, torch\.compile and the like"):
        moves(torch.asarray(PREVIOUS, device="meta"), torch.asarray(PHY2LOG, device="meta"), 8).bytes(1)
