"""An expert that stays on its GPU keeps its slot, as `algorithms/moving/keeping.py` keeps it."""

import triton
import triton.language as tl


@triton.jit
def keep_slots(now_at, before_at, want_at, S: tl.constexpr):
    """The expert in each slot once those that were on their GPU are in their old slots: [ranks, gpus].

    The others fill what is left in the order of their slots. What held nothing before is -1. Beyond the last rank and
    GPU it is none's.
    """
    rank, gpu = tl.arange(0, S.capacity2)[:, None], tl.arange(0, S.gpus2)
    place = rank * S.gpus + gpu[None, :]
    there = (rank < S.capacity) & (gpu[None, :] < S.gpus)
    now = tl.load(now_at + place, mask=there, other=-2) & EXPERT
    before = tl.load(before_at + place, mask=there, other=-1)
    # Of each expert its GPU had so many before, and has so many now; which of them it is.
    now_copy, before_copy = now * 0, before * 0
    had, has = now * 0, before * 0
    for other in range(S.capacity):
        at = other * S.gpus + gpu
        its_now = (tl.load(now_at + at, mask=gpu < S.gpus, other=-2) & EXPERT)[None, :]
        its_before = tl.load(before_at + at, mask=gpu < S.gpus, other=-1)[None, :]
        now_copy += ((now == its_now) & (rank > other)).to(tl.int32)
        before_copy += ((before == its_before) & (rank > other)).to(tl.int32)
        had += (now == its_before).to(tl.int32)
        has += (before == its_now).to(tl.int32)
    wants = _numbered(now, now_copy, now_copy < had)
    offers = _numbered(before, before_copy, before_copy < has)
    tl.store(want_at + place, wants, mask=there)
    tl.debug_barrier()
    found = now
    for other in range(S.capacity):
        at = other * S.gpus + gpu
        want = tl.load(want_at + at, mask=gpu < S.gpus, other=0)[None, :]
        its_now = (tl.load(now_at + at, mask=gpu < S.gpus, other=-2) & EXPERT)[None, :]
        found = tl.where(offers == want, its_now, found)
    return found


@triton.jit
def _numbered(expert, copy, stays):
    """A number for each copy that stays; those that do not have -1, -2 and so on."""
    leaves = tl.cumsum((~stays).to(tl.int32), 0)
    return tl.where(stays, expert * 32 + copy, -leaves)


# Of a tag in memory.
EXPERT = tl.constexpr(0xFFFF)
