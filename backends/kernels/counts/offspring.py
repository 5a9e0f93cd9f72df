"""Counts one replica away from a parent's, as `algorithms/counts/offspring.py` has them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.hashing import below, hashed


@triton.jit
def store_offspring(candidate, generation, parent, row_at, own, S: tl.constexpr):
    """Write the counts and spares of a candidate, given where its parent's are; generations count from 0."""
    K: tl.constexpr = S.spares
    E: tl.constexpr = S.node_experts
    e = tl.arange(0, S.node_experts2)
    k = tl.arange(0, S.spares2)
    drawn = hashed(hashed(generation + 1 + S.seed) + candidate)
    one = hashed(drawn + 1)
    other = hashed(one + 1)
    last = hashed(other + 1)
    place, other_place = below(one, K), below(other, K)
    giver, other_giver = tl.load(parent + S.spare_at + place), tl.load(parent + S.spare_at + other_place)
    loads_at = (row_at + S.load_at).to(tl.pointer_type(tl.float32), bitcast=True)
    fewer = (tl.load(parent + S.count_at + giver) - 1).to(tl.float32)
    other_fewer = (tl.load(parent + S.count_at + other_giver) - 1).to(tl.float32)
    if tl.div_rn(tl.load(loads_at + other_giver), other_fewer) < tl.div_rn(tl.load(loads_at + giver), fewer):
        place, giver = other_place, other_giver
    taker = (giver + 1 + below(last, E - 1)) % E
    moves = (taker != giver) & (tl.load(parent + S.count_at + taker) < S.most)

    count = tl.load(parent + S.count_at + e, mask=e < E, other=0)
    count += tl.where(moves, (e == taker).to(tl.int32) - (e == giver).to(tl.int32), 0)
    spare = tl.load(parent + S.spare_at + k, mask=k < K, other=0)
    spare = tl.where(moves & (k == place), taker, spare)
    tl.store(own + S.count_at + e, count, mask=e < E)
    tl.store(own + S.spare_at + k, spare, mask=k < K)
    tl.debug_barrier()
