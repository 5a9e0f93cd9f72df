"""Quotas by Triton's kernel: interpreted, held against NumPy's, and what is divided in tests of it."""

from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from eplb_xp import Plan
from eplb_xp.algorithms.routing import quotas as once_written
from eplb_xp.backends import numpy
from eplb_xp.backends.kernels.routing.quotas import quotas as kernel
from eplb_xp.backends.launching import dividing
from eplb_xp.backends.launching.compiling import quickly
from eplb_xp.backends.launching.dividing import Dividing, launch
from eplb_xp.backends.launching.static import Static
from eplb_xp.backends.takeover import Refusal
from tests.support.kernels import POISON, Interpreted
from tests.support.libraries import NumPyArray
from tests.support.routing import parts, plan_of
from tests.support.shares import Shape, drawn_plans


class Given(NamedTuple):
    """What is divided, in the order of the step."""

    rank: NumPyArray | None  # [layers, 1], or none for all
    share: NumPyArray  # [layers, replicas]
    phy2log: NumPyArray  # [layers, replicas]
    log2phy: NumPyArray  # [layers, experts, width]
    logcnt: NumPyArray  # [layers, experts]
    counts: NumPyArray  # [layers, ranks, experts]


def as_dtype(given: Given, dtype: Any) -> Given:
    """All of it but the rank."""
    rank, *others = given
    return Given(rank, *(x.astype(dtype) for x in others))


def expected(given: Given, nodes: int) -> NumPyArray:
    """By the once-written code, from NumPy."""
    rank, *others = given
    found: NumPyArray
    if rank is None:
        (found,) = once_written.quotas(numpy.LIBRARY, *others, num_nodes=nodes)
    else:
        (found,) = once_written.quotas_of_rank(numpy.LIBRARY, rank, *others, num_nodes=nodes)
    return found


def launch_of(given: Given, nodes: int, index_bits: int = 64) -> Dividing:
    """How it is launched, which is not refused."""
    how = launch(
        given.counts.shape,
        given.share.shape[1],
        given.log2phy.shape[-1],
        nodes=nodes,
        is_of_one=given.rank is not None,
        index_bits=index_bits,
    )
    assert not isinstance(how, Refusal), how.reason
    return how


def divided(
    given: Given, nodes: int, *, programs: int = dividing.PROGRAMS, index_bits: int = 64, poison: int = POISON
) -> NumPyArray:
    """The quotas by the interpreted kernel, from memory that is full of poison; of so many programs, about."""
    assert triton.knobs.runtime.interpret
    with mock.patch.object(dividing, "PROGRAMS", programs):
        how = launch_of(given, nodes, index_bits)
    layers, ranks, experts = given.counts.shape
    tensors = [torch.asarray(np.ascontiguousarray(x)) for x in given[1:]]
    rank = tensors[3] if given.rank is None else torch.asarray(given.rank)
    its_ranks = (ranks,) if given.rank is None else ()
    shape = layers, *its_ranks, experts, how.width
    quota = torch.full(shape, poison, dtype=torch.int64 if index_bits == 64 else torch.int32)
    kernel[layers, *how.programs](rank, *tensors, rank.stride(0), quota, Static(how))
    found: NumPyArray = quota.numpy()
    return found


def check(interpreted: Interpreted, given: Given, nodes: int, **options: Any) -> NumPyArray:
    """The quotas, which NumPy finds too."""
    want = expected(given, nodes)
    found = interpreted(divided, given, nodes, **options)
    np.testing.assert_array_equal(found, want.astype(found.dtype), strict=True)
    return want


def drawn(
    rng: np.random.Generator,
    shape: Shape,
    layers: int = 1,
    *,
    of_one: bool = True,
    is_plan: bool = True,
    other_batch: bool = False,
    most: int = 100,
) -> Given:
    """Tokens of some experts and none of others, in any shares of any plans, doubled replicas and all.

    What is no plan has experts and slots that aren't there, and slots of others; what is of another batch has less or
    more tokens than shares, and less than none.
    """
    experts, replicas, gpus = shape
    plan = plan_of(drawn_plans(int(rng.integers(2**32)), layers, shape), experts, rng)
    tokens = rng.integers(0, most, (layers, experts)) * (rng.random((layers, experts)) < 0.8)
    share = np.zeros((layers, replicas), np.int64)
    for layer, expert in np.ndindex(layers, experts):
        slots = plan.log2phy[layer, expert, : plan.logcnt[layer, expert]]
        share[layer, slots] = parts(rng, tokens[layer, expert], len(slots))
    counts = parts(rng, tokens, gpus).transpose(1, 0, 2)
    if other_batch:
        share = np.where(rng.random(share.shape) < 0.5, share, rng.integers(-9, most, share.shape))
        counts = counts + rng.integers(-20, 20, counts.shape)
    rank = rng.integers(-1, gpus + 1, (layers, 1)) if of_one else None
    if not is_plan:
        width = plan.log2phy.shape[-1]
        phy2log = rng.integers(-1, experts + 2, (layers, replicas))
        log2phy = rng.integers(-2, replicas + 2, (layers, experts, width))
        plan = Plan(phy2log, log2phy, rng.integers(-1, width + 3, (layers, experts)))
    return Given(rank, share, *plan, counts)


TYPES = {"rank_stride": "i32", "S": "constexpr"}


def compiled(how: Dividing) -> Any:
    """The kernel for an H100: its code in several languages as `asm`, and what it needs as `metadata`."""
    types = {name: TYPES.get(name, "*i64") for name in kernel.arg_names}
    source = ASTSource(kernel, types, {(kernel.arg_names.index("S"),): Static(how)})
    options = {"num_warps": how.warps, "enable_fp_fusion": False}
    with quickly():
        return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
