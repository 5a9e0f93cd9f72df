"""Routes by Triton's kernels: interpreted, held against NumPy's, and what is routed in tests of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime import interpreter

from eplb_xp.algorithms.routing import route as once_written
from eplb_xp.backends import numpy
from eplb_xp.backends.kernels.routing import route as kernels
from eplb_xp.backends.launching import routing
from eplb_xp.backends.launching.compiling import quickly
from eplb_xp.backends.launching.routing import Launch, launch
from eplb_xp.backends.launching.static import Static
from eplb_xp.backends.takeover import Refusal
from tests.support.kernels import POISON, Interpreted
from tests.support.libraries import NumPyArray
from tests.support.routing import parts, plan_of
from tests.support.shares import Shape, drawn_plans

NONE = np.zeros(0, np.int64)  # nothing was routed before


class Given(NamedTuple):
    """What is routed: rows of any dimensions in front."""

    quota: NumPyArray | None  # [..., experts, width]
    log2phy: NumPyArray  # [..., experts, width]
    logcnt: NumPyArray  # [..., experts]
    first: NumPyArray  # [..., experts], or [..., 0] where there were none before
    experts: NumPyArray  # [..., tokens, top_k]


def each(function: Callable[[NumPyArray], NumPyArray], given: Given) -> Given:
    """The function of all that is there."""
    quota, *others = given
    log2phy, logcnt, first, experts = (function(x) for x in others)
    return Given(None if quota is None else function(quota), log2phy, logcnt, first, experts)


class Sizes(NamedTuple):
    """How many tokens are few, those of a block, and blocks that are read at once."""

    few: int = routing.FEW
    block: int = routing.BLOCK
    blocks: int = routing.MOST_BLOCKS


ONE = Sizes()  # launch, if tokens are few
SEVERAL = Sizes(0, 32, 2)  # two launches of many programs


def expected(given: Given) -> NumPyArray:
    quota, *others = given
    if quota is None:
        return once_written.route_in_turn(numpy.LIBRARY, *others)[0]
    return once_written.route_by_quota(numpy.LIBRARY, quota, *others)[0]


def launch_of(given: Given, index_bits: int = 64) -> Launch:
    """How it is launched, which is not refused."""
    *front, tokens, choices = given.experts.shape
    how = launch(
        (int(np.prod(front)), tokens * choices),
        given.log2phy.shape[-1],
        given.logcnt.shape[-1],
        by_quota=given.quota is not None,
        has_first=given.first.shape[-1] > 0,
        index_bits=index_bits,
    )
    assert not isinstance(how, Refusal), how.reason
    return how


def routed(given: Given, sizes: Sizes = ONE, index_bits: int = 64, poison: int = POISON) -> NumPyArray:
    """The slots by interpreted kernels, from memory that is full of poison."""
    assert triton.knobs.runtime.interpret
    log2phy, logcnt, first, experts = map(torch.tensor, given[1:])
    quota = logcnt if given.quota is None else torch.tensor(given.quota)
    of_sizes = mock.patch.multiple(routing, FEW=sizes.few, BLOCK=sizes.block, MOST_BLOCKS=sizes.blocks)
    with of_sizes, row_by_row():
        how = launch_of(given, index_bits)
        constants, tokens = Static(how.sizes), given.experts.shape[-2] * given.experts.shape[-1]
        grid = how.programs, given.experts.size // tokens
        slots = torch.full(experts.shape, poison % 100, dtype=log2phy.dtype)
        before = quota, log2phy, logcnt, first if how.sizes.has_first else logcnt
        if how.entries:
            scratch = torch.full((how.entries,), poison % 2**15, dtype=torch.int16)
            kernels.count[grid](experts, tokens, scratch, constants)
            kernels.route[grid](*before, experts, tokens, scratch, slots, constants)
        else:
            kernels.route_few[grid](*before, experts, tokens, slots, constants)
    found: NumPyArray = slots.numpy()
    return found


@contextmanager
def row_by_row() -> Iterator[None]:
    """Reductions take all other axes at once; the interpreter would call Python for each entry."""

    def reduce(self: Any, given: Any) -> list[Any]:
        found = [np.take(x.handle.data, 0, self.axis) for x in given]
        for i in range(1, given[0].handle.data.shape[self.axis]):
            both = [*found, *(np.take(x.handle.data, i, self.axis) for x in given)]
            dtypes = [x.dtype for x in (*given, *given)]
            results = self.combine_fn.fn(*(self.to_tensor(x, dtype) for x, dtype in zip(both, dtypes, strict=True)))
            results = results if isinstance(results, tuple) else (results,)
            found = [x.handle.data for x in results]
        return [self.to_tensor(x, like.dtype) for x, like in zip(found, given, strict=True)]

    with mock.patch.object(interpreter.ReduceOps, "generic_reduce", reduce):
        yield


def check(interpreted: Interpreted, given: Given, *options: Any) -> NumPyArray:
    """The slots, which NumPy finds too."""
    want = expected(given)
    np.testing.assert_array_equal(interpreted(routed, given, *options), want, strict=True)
    return want


def drawn(
    rng: np.random.Generator,
    shape: Shape,
    tokens: tuple[int, int],
    *,
    front: tuple[int, ...] = (),
    by_quota: bool = True,
    has_first: bool = False,
    dtype: str = "int64",
) -> Given:
    """Tokens of some experts more than others, some of none, on any plans; quotas that end before or behind them."""
    rows = int(np.prod(front))
    plan = plan_of(drawn_plans(int(rng.integers(2**32)), rows, shape), shape[0], rng)
    size = (rows, *tokens)
    experts = rng.integers(0, shape[0], size) // rng.integers(1, 4, (rows, tokens[0], 1))
    experts = np.where(rng.random(size) < 0.1, rng.choice([-1, -7, shape[0], 2**31 - 1], size), experts)
    quota = np.zeros(plan.log2phy.shape, np.int64)
    for row, expert in np.ndindex(rows, shape[0]):
        number = int(plan.logcnt[row, expert])
        its = rng.integers(0, rng.choice([5, 2 * tokens[0] * tokens[1] // shape[0] + 2]), 1)
        quota[row, expert, :number] = np.cumsum(parts(rng, its, number), axis=0)[:, 0]
        quota[row, expert, number:] = its
    first = rng.integers(0, 9, plan.logcnt.shape) if has_first else np.zeros((rows, 0), np.int64)
    arrays = quota, plan.log2phy, plan.logcnt, first, experts
    shaped = [x.reshape(*front, *x.shape[1:]).astype(dtype) for x in arrays]
    return Given(shaped[0] if by_quota else None, *shaped[1:])


TYPES = {"ids": "i32", "S": "constexpr", "scratch": "*i16", "experts": "*i32"}


def compiled(how: Launch) -> dict[str, Any]:
    """What each kernel is on an H100: its code in several languages."""
    sizes = how.sizes
    warps = {kernels.count: sizes.count_warps, kernels.route: sizes.warps} if how.entries else {}
    with quickly():
        return {
            kernel.__name__: triton.compile(
                ASTSource(
                    kernel,
                    {name: TYPES.get(name, "*i64") for name in kernel.arg_names},
                    {(kernel.arg_names.index("S"),): Static(sizes)},
                ),
                target=GPUTarget("cuda", 90, 32),
                options={"num_warps": number, "enable_fp_fusion": False},
            ).asm
            for kernel, number in (warps or {kernels.route_few: sizes.warps}).items()
        }
