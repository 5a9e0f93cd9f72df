"""Shares of a batch, as `algorithms/sharing/shares.py` makes them: one program for each layer.

All that a program writes down it reads again itself, so that its threads alone wait for each other.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.sharing import matchings, ring
from eplb_xp.backends.kernels.sharing.proofs import is_stronger, least, proof_of_busiest, rounded_down
from eplb_xp.backends.kernels.sharing.table import places, read_table
from eplb_xp.backends.kernels.sharing.tokens import TOO_MANY, whole_tokens

# `shares.MOST_FINE_BITS`, `matchings.MOST_WHOLE_ROUNDS` and `ROUNDS_AT_ONCE`.
FINE_BITS = tl.constexpr(16)
WHOLE_ROUNDS = tl.constexpr(4)
AT_ONCE = tl.constexpr(2)


@triton.jit
def share(
    expert_ptr,
    place_ptr,
    first_ptr,
    holders_ptr,
    colour_ptr,
    start_ptr,
    size_ptr,
    tolerance_ptr,
    weight_ptr,
    row_stride,
    column_stride,
    rounds,
    share_ptr,
    load_ptr,
    busiest_ptr,
    bound_ptr,
    proof_ptr,
    gap_ptr,
    rounds_ptr,
    scratch,
    S: tl.constexpr,
):
    layer = tl.program_id(0).to(tl.int64)
    own = scratch + layer * S.words
    of_expert = layer * S.experts
    e = tl.arange(0, S.experts2)
    weight_at = weight_ptr + layer * row_stride + e * column_stride
    weight = tl.load(weight_at, mask=e < S.experts, other=0)
    # Before the first wait, so that all of it is on its way at once.
    size = tl.load(size_ptr + layer).to(tl.int32)
    expert, holders = read_table(expert_ptr + layer * S.slots, holders_ptr + of_expert, S)
    rank, gpu, _, there = places(S)
    start = tl.load(start_ptr + of_expert + expert, mask=holders > 1, other=0).to(tl.int32)
    tokens = whole_tokens(weight, S.expert_levels)
    tl.store(own + S.tokens_at + e, tokens, mask=e < S.experts)
    tl.debug_barrier()

    g = tl.arange(0, S.gpus2)
    its_tokens = tl.load(own + S.tokens_at + expert, mask=holders > 0, other=0)
    taken = 0
    if size > 0:
        best, proof, proof_tokens, proof_size = ring.solved(holders, its_tokens, start, size, own, S)
    else:
        best, proof, proof_tokens, proof_size, taken = _levelled(
            expert,
            holders,
            its_tokens,
            tl.sum(tokens, axis=0),
            place_ptr + layer * S.linked,
            first_ptr + of_expert,
            colour_ptr + of_expert,
            tl.load(tolerance_ptr + layer),
            rounds,
            expert_ptr + layer * S.slots,
            holders_ptr + of_expert,
            own,
            S,
        )
    tl.store(share_ptr + layer * S.slots + gpu * S.capacity + rank, best, mask=there)
    gpu_load = tl.sum(tl.where(there, best, 0), axis=0)
    tl.store(load_ptr + layer * S.gpus + g, gpu_load, mask=g < S.gpus)
    tl.store(proof_ptr + layer * S.gpus + g, proof, mask=g < S.gpus)
    busiest = tl.max(gpu_load, axis=0)
    bound = rounded_down(proof_tokens, proof_size)
    gap = tl.div_rn(busiest.to(tl.float32), tl.where(bound > 0.0, bound, 1.0)) - 1.0
    tl.store(busiest_ptr + layer, busiest)
    tl.store(bound_ptr + layer, bound)
    tl.store(gap_ptr + layer, tl.where(bound > 0.0, tl.maximum(gap, 0.0), 0.0))
    tl.store(rounds_ptr + layer, taken)


@triton.jit
def _equal(tokens, holders, turn):
    """Equal shares of the holders of each expert, the first ones a token more."""
    number = tl.maximum(holders, 1)
    extra = (turn < tokens % number).to(tl.int32)
    return tl.where(holders > 0, tokens // number + extra, 0)


@triton.jit
def _levelled(
    expert,
    holders,
    tokens,
    total,
    place_at,
    first_at,
    colour_at,
    tolerance,
    rounds,
    expert_at,
    holders_at,
    own,
    S: tl.constexpr,
):
    """Shares by matchings of places, their proof, and rounds taken."""
    _, _, place, there = places(S)
    g = tl.arange(0, S.gpus2)
    # Holders expert by expert, and some slots that are alone, or nobody's: those stand each for itself.
    p = tl.arange(0, S.linked2)
    run_place = tl.load(place_at + p, mask=p < S.linked, other=0).to(tl.int32)
    run_expert = tl.load(expert_at + run_place, mask=p < S.linked, other=S.experts).to(tl.int32)
    run_holders = tl.load(holders_at + run_expert, mask=run_expert < S.experts, other=0).to(tl.int32)
    is_linked = run_holders > 1
    run_first = tl.load(first_at + run_expert, mask=is_linked, other=0).to(tl.int32)
    run_first = tl.where(is_linked, run_first, p)
    run_colour = tl.load(colour_at + run_expert, mask=is_linked, other=0).to(tl.int32)
    is_last = is_linked & (p == run_first + run_holders - 1)
    colours = matchings.number_of_colours(run_colour, run_holders)
    matchings.store_meetings(0, colours, place_at, run_place, run_first, run_holders, run_colour, own, S)

    several = there & (holders > 1)
    tl.store(own + S.turn_at + place, 0, mask=there)
    tl.debug_barrier()
    tl.store(own + S.turn_at + run_place, p - run_first, mask=is_linked)
    tl.debug_barrier()
    turn = tl.load(own + S.turn_at + place, mask=several, other=0)
    its_run = tl.load(first_at + expert, mask=several, other=0).to(tl.int32)
    alone = tl.sum(tl.where(holders == 1, tokens, 0), axis=0)
    its_tokens = tl.where(several, tokens, 0)

    best = _equal(tokens, holders, turn)
    busiest = tl.max(tl.sum(best, axis=0), axis=0)
    fine = total * 0
    for bits in tl.static_range(1, FINE_BITS + 1):
        fine += (total <= (TOO_MANY - 1) >> bits).to(tl.int32)
    finely = _equal(tokens << fine, holders, turn)
    matchings.store_shares(finely, own, S)
    shares_at = own + S.share_at
    others_at = shares_at + S.slots + 1
    tl.store(shares_at + S.slots, 0)
    tl.store(others_at + S.slots, 0)
    gpu_load = tl.sum(finely, axis=0)

    proof = g == 0
    proof_tokens, proof_size = total * 0, total * 0 + 1
    taken, limit = total * 0, total * 0 + rounds
    is_done = total < 0
    while not is_done:
        # What is proven, what is whole, what is best, and whether it is done.
        found, found_tokens, found_size = proof_of_busiest(
            gpu_load, alone, run_first, run_place % S.gpus, is_last, its_run, its_tokens, own, S
        )
        if is_stronger(found_tokens, found_size, proof_tokens, proof_size):
            proof, proof_tokens, proof_size = found, found_tokens, found_size
        bound = least(proof_tokens, proof_size)
        bound += (bound.to(tl.float32) * tolerance).to(tl.int32)
        level = (tl.max(gpu_load, axis=0) + (1 << fine) - 1) >> fine <= bound
        if (fine > 0) & (level | (taken >= limit)):
            gpu_load = matchings.make_whole(run_place, fine, shares_at, own, S)
            fine = fine * 0
            limit = tl.minimum(limit, taken + WHOLE_ROUNDS)
        now = tl.max(gpu_load, axis=0)
        if (fine == 0) & (now < busiest):
            busiest = now
            best = tl.load(shares_at + place, mask=there, other=0)
        is_done = (fine == 0) & ((busiest <= bound) | (taken >= limit))
        until = tl.where(is_done, taken, tl.minimum(taken + AT_ONCE, limit))
        while taken < until:
            for begin in range(0, colours, S.rows):
                if colours > S.rows:
                    tl.store(others_at + place, tl.load(shares_at + place, mask=there, other=0), mask=there)
                    matchings.store_meetings(
                        begin, colours, place_at, run_place, run_first, run_holders, run_colour, own, S
                    )
                gpu_load = matchings.level(gpu_load, tl.minimum(colours - begin, S.rows), shares_at, others_at, own, S)
                shares_at, others_at = others_at, shares_at
            taken += 1
    return best, proof, proof_tokens, proof_size, taken
