"""Two items of the busiest pack for two of a light one, as `algorithms/improving/pairs.py` chooses them.

Pairs of a pack go in diagonals: each rank with the one so many steps further on, round and round. With few
light packs each diagonal is a column of its own, so that all threads of a warp have something to do.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, INFINITE, bits_of, float_of
from eplb_xp.backends.kernels.improving.table import busiest, column_of, entry_of, first_at, row_of
from eplb_xp.backends.kernels.packing.packed import SINGLE

INF = tl.constexpr(float("inf"))


@triton.jit
def _pair(number, C: tl.constexpr):
    """The ranks of a pair, pairs being numbered by their first rank, then by the second."""
    first = number * 0
    for r in range(1, C - 1):
        first = tl.where(number >= r * (2 * C - r - 1) // 2, r, first)
    return first, number - first * (2 * C - first - 1) // 2 + first + 1


@triton.jit
def _lightest(pack_load, P: tl.constexpr, W: tl.constexpr, W2: tl.constexpr, D: tl.constexpr):
    """The numbers of the W lightest packs, each D times, then -1."""
    number = tl.arange(0, pack_load.shape[0])
    column = tl.arange(0, W2) // D
    lows = tl.where(number < P, bits_of(tl.maximum(pack_load, 0.0)), HIGHEST)
    which = column * 0 - 1
    for i in range(W):
        light = first_at(lows, number, tl.min(lows, axis=0))
        lows = tl.where(number == light, HIGHEST, lows)
        which = tl.where(column == i, light, which)
    return which


@triton.jit
def _nearer(nearest, our_pairs, coming, rank, one, two, more):
    """How near pairs of ours come to what one pair of theirs, with the excess, asks for."""
    theirs = float_of(row_of(bits_of(coming), rank, one)) + float_of(row_of(bits_of(coming), rank, two))
    return tl.minimum(nearest, tl.abs(our_pairs - (theirs + more)[None, :]))


@triton.jit
def _nearest(nearest, our_pairs, coming, rank, more, C: tl.constexpr):
    """The same over all pairs of theirs."""
    if C <= 10:
        for one in tl.static_range(C - 1):
            for two in tl.static_range(one + 1, C):
                nearest = _nearer(nearest, our_pairs, coming, rank, one, two, more)
    else:
        for one in range(C - 1):
            for two in range(one + 1, C):
                nearest = _nearer(nearest, our_pairs, coming, rank, one, two, more)
    return nearest


@triton.jit
def _is_off(going, ranks, one, two, wanted, off):
    """Whether a pair of ours is so far from what is wanted."""
    pair = float_of(entry_of(going, ranks, one)) + float_of(entry_of(going, ranks, two))
    return tl.abs(pair - wanted) == off


@triton.jit
def best_pairs(
    load, tag, pack_load, P: tl.constexpr, C: tl.constexpr, W: tl.constexpr, W2: tl.constexpr, T2: tl.constexpr
):
    """Four places, those that swap one after the other, and the busier pack's load then."""
    C2: tl.constexpr = load.shape[0]
    PAIRS: tl.constexpr = C * (C - 1) // 2
    D: tl.constexpr = C // 2
    number = tl.arange(0, load.shape[1])
    rank, ranks = tl.arange(0, C2)[:, None], tl.arange(0, C2)
    pack = number[None, :]
    high_bits = busiest(pack_load)
    high = float_of(high_bits)
    from_ = first_at(bits_of(pack_load), number, high_bits)
    our_loads, our_tags = column_of(bits_of(load), pack, from_), column_of(tag, pack, from_)

    # Their columns, and which of ours and theirs may go.
    k = tl.arange(0, W2)
    if W < P:
        which = _lightest(pack_load, P, W, W2, D)
        there = tl.maximum(which, 0)
        their_pack_load = tl.gather(pack_load, there, 0)
        columns = tl.broadcast_to(there[None, :], (C2, W2))
        their_load, their_tag = tl.gather(load, columns, 1), tl.gather(tag, columns, 1)
    else:
        their_load, their_tag, their_pack_load = load, tag, pack_load
        which = tl.where(k < P, k, -1)
    our_too = their_tag < -1
    going = tl.full([C2, W2], -INF, tl.float32)
    for r in tl.static_range(C):
        our_load, our_tag = float_of(entry_of(our_loads, ranks, r)), entry_of(our_tags, ranks, r)
        stays = which == from_
        if our_tag < SINGLE:
            same = their_tag == our_tag
            stays = stays | (tl.max(same.to(tl.int32), axis=0) > 0)
            our_too = our_too | same
        going = tl.where((rank == r) & ~stays[None, :], our_load, going)
    coming = tl.where(our_too, INF, their_load)
    halved = (high + their_pack_load) * 0.5
    more = (high - their_pack_load) * 0.5

    nearest = tl.full([C2, W2], INF, tl.float32)
    if W < P:
        partner = tl.full([C2, W2], -INF, tl.float32)
        for step in tl.static_range(1, D + 1):
            for r in tl.static_range(C):
                its_partner = float_of(row_of(bits_of(going), rank, (r + step) % C))
                here = (rank == r) & (k % D == step - 1)[None, :]
                partner = tl.where(here, its_partner[None, :], partner)
        nearest = _nearest(nearest, going + partner, coming, rank, more, C)
    else:
        for step in tl.static_range(1, D + 1):
            partner = tl.full([C2, W2], -INF, tl.float32)
            for r in tl.static_range(C):
                its_partner = float_of(row_of(bits_of(going), rank, (r + step) % C))
                partner = tl.where(rank == r, its_partner[None, :], partner)
            nearest = _nearest(nearest, going + partner, coming, rank, more, C)
    off = tl.min(bits_of(nearest), axis=0)
    after = tl.where(which >= 0, bits_of(halved + float_of(off)), INFINITE)
    best = tl.min(after, axis=0)
    # The lightest pack, the first of equal ones.
    lows = tl.where((after == best) & (which >= 0), bits_of(tl.maximum(their_pack_load, 0.0)), HIGHEST)
    to = tl.min(tl.where(lows == tl.min(lows, axis=0), which, HIGHEST), axis=0)
    it = first_at(which, k, to)

    # Its first pair, then ours, that come so near.
    its_off = float_of(tl.min(tl.where(which == to, off, HIGHEST), axis=0))
    its_coming = column_of(bits_of(coming), k[None, :], it)
    its_going = column_of(bits_of(going), k[None, :], it)
    its_more = float_of(entry_of(bits_of(more), k, it))
    pair = tl.arange(0, T2)
    first, second = _pair(pair, C)
    first_load, second_load = pair.to(tl.float32), pair.to(tl.float32)
    for r in tl.static_range(C):
        coming_r = float_of(entry_of(its_coming, ranks, r))
        first_load = tl.where(first == r, coming_r, first_load)
        second_load = tl.where(second == r, coming_r, second_load)
    wanted = first_load + second_load + its_more
    # Of each of their pairs the first of ours: the last that is looked at, backwards.
    wanted = tl.where(pair < PAIRS, wanted, INF)
    ours = pair * 0 - 1
    if C <= 10:
        for one in tl.static_range(C - 2, -1, -1):
            for two in tl.static_range(C - 1, one, -1):
                ours = tl.where(_is_off(its_going, ranks, one, two, wanted, its_off), one * C + two, ours)
    else:
        for i in range(C - 1):
            for j in range(i + 1):
                one, two = C - 2 - i, C - 1 - j
                ours = tl.where(_is_off(its_going, ranks, one, two, wanted, its_off), one * C + two, ours)
    theirs = tl.min(tl.where(ours >= 0, pair, PAIRS - 1), axis=0)
    ours = tl.maximum(entry_of(ours, pair, theirs), 0)
    t_one, t_two = _pair(theirs, C)
    return ours // C * P + from_, t_one * P + to, ours % C * P + from_, t_two * P + to, float_of(best), high
