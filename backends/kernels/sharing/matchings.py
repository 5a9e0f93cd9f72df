"""Shares of any plan, as `algorithms/sharing/matchings.py` has them: holders of an expert meet in pairs.

Who meets whom is written down once: a row for each colour, and in it for each GPU the place of its slot and the other
GPU. So in a round nothing is looked up, and what the next colours need is read while one goes on. Plans of more colours
than there are rows write them anew, some at a time.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.sharing.table import places, read_on_gpus


@triton.jit
def _place(meeting):
    return meeting >> 16


@triton.jit
def _other(meeting):
    return meeting & 0xFFFF


@triton.jit
def _span(holders):
    """How many colours so many holders take, if there are several."""
    return tl.where(holders > 1, (holders - 1) | 1, 0)


@triton.jit
def number_of_colours(colour, holders):
    """Of all, given the first of each expert's."""
    return tl.max(colour + _span(holders), axis=0)


@triton.jit
def store_meetings(begin, colours, place_at, run_place, run_first, run_holders, run_colour, own, S: tl.constexpr):
    """Write the meetings of the colours from one on, as many as there are rows for, and five rows without any."""
    g = tl.arange(0, S.gpus2)
    for row in range(tl.minimum(colours - begin, S.rows) + 5):
        # Who meets nobody meets itself, at a place where there is nothing to give.
        tl.store(own + S.meeting_at + row * S.gpus + g, S.slots << 16 | g, mask=g < S.gpus)
    tl.debug_barrier()
    gpu = run_place % S.gpus
    turn = tl.arange(0, S.linked2) - run_first
    span = _span(run_holders)
    stays = run_holders - 1 + run_holders % 2
    for t in range(tl.max(span, axis=0)):
        # The last team stays where it is, the others move one chair a turn; who meets its own chair meets the last.
        chair = 2 * t - turn
        chair = tl.where(chair < 0, chair + stays, tl.where(chair >= stays, chair - stays, chair))
        other = tl.where(turn == stays, t, tl.where(chair == turn, stays, chair))
        plays = (t < span) & (other < run_holders)
        other_gpu = tl.load(place_at + run_first + other, mask=plays, other=0).to(tl.int32) % S.gpus
        line = run_colour + t - begin
        meeting = run_place << 16 | tl.where(plays, other_gpu, gpu)
        here = (t < span) & (line >= 0) & (line < S.rows)
        tl.store(own + S.meeting_at + line * S.gpus + gpu, meeting, mask=here)
    tl.debug_barrier()


@triton.jit
def _meet(gpu_load, ours, next_ours, now, following, after, old, new):
    """The pairs of a colour level: loads of GPUs, shares of the slots that meet next, and after that."""
    # Both at once: among several warps it goes through memory.
    theirs = tl.gather(gpu_load.to(tl.int64) << 32 | ours, _other(now), 0)
    more = (theirs >> 32).to(tl.int32) - gpu_load
    size = tl.abs(more)
    move = (size >> 1) + (size >> 3) + (size >> 4)
    move = tl.where(more < 0, -tl.minimum(move, ours), tl.minimum(move, theirs.to(tl.int32)))
    ours += move
    # A slot has its meetings in a row.
    tl.store(new + _place(now), ours, mask=_place(now) != _place(following))
    ours = tl.where(_place(now) != _place(following), next_ours, ours)
    next_ours = tl.load(old + _place(after), mask=_place(after) != _place(following), other=0)
    return gpu_load + move, ours, next_ours


@triton.jit
def level(gpu_load, colours, old, new, own, S: tl.constexpr):
    """The pairs of so many colours level once, one after the other: the loads of the GPUs.

    From one list of shares to another, since some threads are ahead of others. What is not met stays as it is in both.
    """
    g = tl.arange(0, S.gpus2)
    there = g < S.gpus
    meeting_at = own + S.meeting_at + g
    nobody = S.slots << 16 | g
    first = tl.load(meeting_at, mask=there, other=nobody)
    second = tl.load(meeting_at + S.gpus, mask=there, other=nobody)
    third = tl.load(meeting_at + 2 * S.gpus, mask=there, other=nobody)
    fourth = tl.load(meeting_at + 3 * S.gpus, mask=there, other=nobody)
    ours = tl.load(old + _place(first))
    next_ours = tl.load(old + _place(second))
    for colour in range(0, colours, 2):
        fifth = tl.load(meeting_at + (colour + 4) * S.gpus, mask=there, other=nobody)
        sixth = tl.load(meeting_at + (colour + 5) * S.gpus, mask=there, other=nobody)
        gpu_load, ours, next_ours = _meet(gpu_load, ours, next_ours, first, second, third, old, new)
        gpu_load, ours, next_ours = _meet(gpu_load, ours, next_ours, second, third, fourth, old, new)
        first, second, third, fourth = third, fourth, fifth, sixth
    tl.debug_barrier()
    return gpu_load


@triton.jit
def store_shares(share, own, S: tl.constexpr):
    """Write the shares of places into both lists."""
    _, _, place, there = places(S)
    for i in tl.static_range(2):
        tl.store(own + S.share_at + i * (S.slots + 1) + place, share, mask=there)


@triton.jit
def make_whole(run_place, fine, shares_at, own, S: tl.constexpr):
    """Write shares as whole tokens: of each expert's holders in a row as many as whole tokens lie in what they have."""
    p = tl.arange(0, S.linked2)
    share = tl.load(shares_at + run_place, mask=p < S.linked, other=0)
    until = tl.cumsum(share, axis=0)
    _, _, place, there = places(S)
    others = tl.load(shares_at + place, mask=there, other=0) >> fine
    tl.debug_barrier()
    store_shares(others, own, S)
    tl.debug_barrier()
    tl.store(shares_at + run_place, (until >> fine) - (until - share >> fine), mask=p < S.linked)
    tl.debug_barrier()
    return read_on_gpus(shares_at, S)
