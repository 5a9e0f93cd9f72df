"""Counts a few replicas away from a parent's, as `algorithms/counts/offspring.py` has them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.hashing import below, hashed
from eplb_xp.backends.kernels.improving.table import entry_of

MOST_MOVES = tl.constexpr(3)


@triton.jit
def store_offspring(candidate, generation, moves, parent, row_at, own, S: tl.constexpr):
    """Write the counts and spares of a candidate, given where its parent's are; generations count from 0.

    One expert gets as many replicas as there are moves.
    """
    K: tl.constexpr = S.spares
    E: tl.constexpr = S.node_experts
    e = tl.arange(0, S.node_experts2)
    k = tl.arange(0, S.spares2)
    loads_at = (row_at + S.load_at).to(tl.pointer_type(tl.float32), bitcast=True)
    load = tl.load(loads_at + e, mask=e < E, other=0.0)
    count = tl.load(parent + S.count_at + e, mask=e < E, other=0)
    spare = tl.load(parent + S.spare_at + k, mask=k < K, other=0)
    drawn = hashed(hashed(generation + 1 + S.seed) + candidate)
    taker = candidate * 0
    for move in range(MOST_MOVES):
        one = hashed(drawn + 1)
        drawn = hashed(one + 1)
        place, other_place = below(one, K), below(drawn, K)
        giver, other_giver = entry_of(spare, k, place), entry_of(spare, k, other_place)
        fewer = (entry_of(count, e, giver) - 1).to(tl.float32)
        other_fewer = (entry_of(count, e, other_giver) - 1).to(tl.float32)
        if tl.div_rn(entry_of(load, e, other_giver), other_fewer) < tl.div_rn(entry_of(load, e, giver), fewer):
            place, giver = other_place, other_giver
        if move == 0:
            drawn = hashed(drawn + 1)
            taker = (giver + 1 + below(drawn, E - 1)) % E
        may = (move < moves) & (taker != giver) & (entry_of(count, e, taker) < S.most)
        count += tl.where(may, (e == taker).to(tl.int32) - (e == giver).to(tl.int32), 0)
        spare = tl.where(may & (k == place), taker, spare)
    tl.store(own + S.count_at + e, count, mask=e < E)
    tl.store(own + S.spare_at + k, spare, mask=k < K)
    tl.debug_barrier()
