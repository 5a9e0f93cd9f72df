"""Shares on rings, as `algorithms/sharing/ring.py` has them.

There the smallest load of the busiest GPU is found by halving a bracket. Here it is raised from below: GPUs in a row
that must take more than fits say how much more at least. That takes a few steps, and the result is the same number.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.sharing.proofs import least
from eplb_xp.backends.kernels.sharing.table import first_most, places

# Below what any flow can make up for.
NEVER = tl.constexpr(-(2**30))


@triton.jit
def _then(flow, length, more, span, next_flow, next_length, next_more, next_span):
    """One stretch of GPUs and the next as one.

    What flows on is the larger of `flow`, which began `length` GPUs before, and what flows in with `more`.
    """
    through = flow + next_more
    flows_through = through > next_flow
    return (
        tl.where(flows_through, through, next_flow),
        tl.where(flows_through, length + next_span, next_length),
        tl.maximum(more + next_more, NEVER),
        span + next_span,
    )


@triton.jit
def _flow(tokens, place, most):
    """What flows on from each GPU of each ring twice round, if none has more than this, and how far back it began."""
    more = tokens - most
    begins = place == 0
    flow, length, _, _ = tl.associative_scan(
        (
            tl.maximum(more, 0),
            (more > 0).to(tl.int32),
            tl.where(begins, NEVER, more),
            tl.full(tokens.shape, 1, tl.int32),
        ),
        0,
        _then,
    )
    return flow, length


@triton.jit
def _missing(flow, length, room, most):
    """How much more the busiest GPU must have at least, since too much is left where stretches end."""
    over = flow + room - most
    length += 1
    return tl.max(tl.where(over > 0, (over + length - 1) // length, 0), axis=0)


@triton.jit
def _trivial_proof(alone, begins, size, g, own, S: tl.constexpr):
    """The GPU with most tokens that are there alone, or the fullest ring."""
    single, gpu = first_most(tl.where(g < S.gpus, alone, -1), g)
    tl.store(own + S.sum_at + 1 + g, tl.cumsum(alone + begins, axis=0), mask=g < S.gpus)
    tl.store(own + S.sum_at, 0)
    tl.debug_barrier()
    first = g // size * size
    there = g < S.gpus
    on_ring = tl.load(own + S.sum_at + first + size, mask=there, other=0)
    on_ring -= tl.load(own + S.sum_at + first, mask=there, other=0)
    together, fullest = first_most(tl.where(there, on_ring, -1), g)
    is_single = single >= least(together, size)
    return (
        tl.where(is_single, g == gpu, g // size == fullest // size),
        tl.where(is_single, single, together),
        tl.where(is_single, 1, size),
    )


@triton.jit
def _into(gpu, size, own, S: tl.constexpr):
    """What flows into GPUs in the second round."""
    at = own + S.flow_at + gpu // size * (2 * size) + size - 1 + gpu % size
    return tl.load(at, mask=gpu < S.gpus, other=0)


@triton.jit
def _overfull_arc(alone, begins, ends, most, size, g, own, S: tl.constexpr):
    """GPUs in a row that must take more than fits, up to the first where too much is left at a stretch's end."""
    there = g < S.gpus
    into = _into(g, size, own, S)
    last = tl.min(tl.where(there & ends & (into + alone > most), g, 0x7FFFFFFF), axis=0)
    same_ring = there & (g // size == last // size)
    back = (last - g + size * S.gpus) % size
    # It begins where nothing flows in.
    length = tl.min(tl.where(same_ring & (into == 0), back, size), axis=0) + 1
    length = tl.minimum(length, S.gpus)
    arc = same_ring & (back < length)
    return arc, tl.sum(tl.where(arc, alone + tl.where(g == last, 0, begins), 0), axis=0), length


@triton.jit
def solved(holders, tokens, start, size, own, S: tl.constexpr):
    """The best shares and their proof: GPUs, tokens and number. `start`: where the stretch of each place begins."""
    _, gpu, _, _ = places(S)
    g = tl.arange(0, S.gpus2)
    place = tl.where(holders > 1, (gpu - start + S.gpus * size) % size, -1)
    alone = tl.sum(tl.where(holders == 1, tokens, 0), axis=0)
    begins = tl.sum(tl.where(place == 0, tokens, 0), axis=0)
    ends = tl.max(((holders > 1) & (place == holders - 1)).to(tl.int32), axis=0) > 0
    tl.store(own + S.alone_at + g, tl.where(ends, alone, NEVER), mask=g < S.gpus)
    tl.store(own + S.on_gpu_at + g, alone + begins, mask=g < S.gpus)
    proof, proof_tokens, proof_size = _trivial_proof(alone, begins, size, g, own, S)
    low = least(proof_tokens, proof_size)

    # Each ring twice round, one after the other: where each position is, what is there, and the room behind it.
    t = tl.arange(0, S.twice2)
    its_place = t % (2 * size)
    its_gpu = t // (2 * size) * size + its_place % size
    behind = t // (2 * size) * size + (its_place + 1) % size
    twice = tl.load(own + S.on_gpu_at + its_gpu, mask=t < 2 * S.gpus, other=0)
    second = (its_place + 1 >= size) & (its_place + 1 < 2 * size) & (t < 2 * S.gpus)
    room = tl.load(own + S.alone_at + behind, mask=second, other=NEVER)

    most = low
    flow, length = _flow(twice, its_place, most)
    missing = _missing(flow, length, room, most)
    while missing > 0:
        most += missing
        flow, length = _flow(twice, its_place, most)
        missing = _missing(flow, length, room, most)

    tl.store(own + S.flow_at + t, flow, mask=t < 2 * S.gpus)
    tl.debug_barrier()
    into = _into(gpu, size, own, S)
    out = _into(gpu // size * size + (gpu + 1) % size, size, own, S)
    share = tl.where(place == 0, tokens - out, tl.where(place == holders - 1, into, into - out))
    share = tl.where(holders > 1, share, tokens)

    if most > low:
        flow, length = _flow(twice, its_place, most - 1)
        tl.debug_barrier()
        tl.store(own + S.flow_at + t, flow, mask=t < 2 * S.gpus)
        tl.debug_barrier()
        proof, proof_tokens, proof_size = _overfull_arc(alone, begins, ends, most - 1, size, g, own, S)
    return share, proof, proof_tokens, proof_size
