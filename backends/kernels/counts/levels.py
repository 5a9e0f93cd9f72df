"""Other replica counts than D'Hondt's, as `algorithms/counts/levels.py` has them."""

import triton
import triton.language as tl


@triton.jit
def _turn(those, to_lightest):
    heaviest = tl.cumsum(those.to(tl.int32), axis=0)
    number = tl.sum(those.to(tl.int32), axis=0)
    return tl.where(to_lightest, number - heaviest + 1, heaviest)


@triton.jit
def store_level(candidate, load, total, own, row_at, S: tl.constexpr):
    """Write the counts and spares of a candidate."""
    K: tl.constexpr = S.spares
    E: tl.constexpr = S.node_experts
    e = tl.arange(0, S.node_experts2)
    k = tl.arange(0, S.spares2)
    there = e < E
    spare = tl.load(row_at + S.spare_at + k, mask=k < K, other=0)
    rank = tl.load(row_at + S.spare_rank_at + k, mask=k < K, other=1)
    order = tl.load(row_at + S.order_at + e, mask=there, other=0)

    # How many spares are handed out by D'Hondt's rule.
    before = tl.div_rn(tl.gather(load, spare, 0), rank.to(tl.float32))
    lowest = tl.sum(((before * S.gpus > total) & (k < K)).to(tl.int32), axis=0)
    lowest = tl.maximum(lowest, max(K - E, 0))
    number = candidate % S.levels
    level = lowest + (K - lowest) * number // max(S.levels - 1, 1)
    to_lightest = candidate // S.levels % 2 == 1  # more than two of each are the same again

    count_at = own + S.count_at
    tl.store(count_at + e, tl.full([S.node_experts2], 1, tl.int32), mask=there)
    tl.debug_barrier()
    tl.atomic_max(count_at + spare, rank + 1, mask=k < level)
    tl.debug_barrier()
    count = tl.load(count_at + order, mask=there, other=S.most)
    single = (count == 1) & there
    open_ = (count < S.most) & there
    singles = tl.sum(single.to(tl.int32), axis=0)
    turn = tl.where(single, _turn(single, to_lightest), singles + _turn(open_ & ~single, to_lightest))
    is_possible = tl.sum(open_.to(tl.int32), axis=0) >= K - level
    gets = open_ & (turn <= K - level)
    if is_possible:
        tl.store(own + S.spare_at + k, spare, mask=k < level)
        tl.store(own + S.spare_at + level + turn - 1, order, mask=gets)
        tl.debug_barrier()
        tl.store(count_at + order, tl.where(gets, count + 1, count), mask=there)
    else:
        # Where the rest is more than there are experts that may have one, D'Hondt's counts stand in.
        tl.store(own + S.spare_at + k, spare, mask=k < K)
        tl.debug_barrier()
        tl.store(count_at + e, tl.load(row_at + S.count_at + e, mask=there, other=1), mask=there)
    tl.debug_barrier()
