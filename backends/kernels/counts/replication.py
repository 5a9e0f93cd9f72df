"""D'Hondt's spares, as `algorithms/counts/replication.py` hands them out."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import descending, index_in


@triton.jit
def store_spares(
    load_at,
    number,
    end_at,
    expert_at,
    rank_at,
    E: tl.constexpr,
    K: tl.constexpr,
    K2: tl.constexpr,
    FEWEST: tl.constexpr,
    IDLE: tl.constexpr,
):
    """Write the spares in the order handed out, given how many each expert has: their experts and ranks.

    The loads are in memory; one of zero counts as IDLE.
    """
    e = tl.arange(0, number.shape[0])
    end = tl.cumsum(number, axis=0)
    tl.store(end_at + e, end, mask=e < E)
    tl.debug_barrier()
    # Of each spare, experts one after the other, the expert: that with so many ends before it.
    k = tl.arange(0, K2)
    expert = k * 0
    step: tl.constexpr = number.shape[0] // 2
    span = step
    while span > 0:
        ends = tl.load(end_at + expert + span - 1, mask=expert + span <= E, other=K2)
        expert += tl.where(ends <= k, span, 0)
        span = span // 2
    expert = tl.minimum(expert, E - 1)
    rank = k - tl.where(expert > 0, tl.load(end_at + tl.maximum(expert - 1, 0)), 0) + FEWEST
    load = tl.load(load_at + expert)
    load = tl.where(load > 0.0, load, IDLE)
    quotient = tl.where(k < K, tl.div_rn(load, rank.to(tl.float32)), 0.0)
    # What is beyond the last spare comes last: its quotient is zero and its index the highest.
    order = index_in(tl.sort(descending(quotient, k)))
    tl.store(expert_at + k, tl.gather(expert, order, 0), mask=k < K)
    tl.store(rank_at + k, tl.gather(rank, order, 0), mask=k < K)
