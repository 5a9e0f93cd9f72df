"""The best swap with the busiest pack, as `algorithms/improving/refinement.py` chooses it, until none helps."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, INFINITE, bits_of, float_of, ordered
from eplb_xp.backends.kernels.improving.swaps import swap
from eplb_xp.backends.kernels.improving.table import (
    at,
    busiest,
    column_of,
    entry_of,
    first_at,
    least,
    places,
    slot_sums,
    spread,
)
from eplb_xp.backends.kernels.packing.packed import SINGLE

INF = tl.constexpr(float("inf"))


@triton.jit
def _with_item(best, held_at, our_too, load, tag, pack_load, high, our_load, our_tag, r):
    """The loads of the busier packs after swaps of the items before, with those of one more."""
    movable = tl.full([load.shape[1]], our_load, tl.float32)
    if our_tag < SINGLE:
        same = tag == our_tag
        if load.shape[0] <= 32:
            # A bit for each rank of a pack.
            rows = tl.sum(same.to(tl.int32) << tl.arange(0, load.shape[0])[:, None], axis=0)
            held = rows != 0
            our_too |= rows
        else:
            held = tl.max(same.to(tl.int32), axis=0) > 0
            our_too = our_too | same
        held_at |= held.to(tl.int32) << (r % 32)
        movable = tl.where(held, -INF, movable)
    less = movable[None, :] - load
    after = tl.maximum(bits_of(high - less), bits_of(pack_load[None, :] + less))
    return tl.minimum(best, after), held_at, our_too


@triton.jit
def best_swap(load, tag, pack_load, P: tl.constexpr, C: tl.constexpr):
    """Two places, the busier pack's load after their swap, and the busiest pack's load before."""
    C2: tl.constexpr = load.shape[0]
    P2: tl.constexpr = load.shape[1]
    rank, pack, place = places(C2, P, P2)
    number = tl.arange(0, P2)
    high_bits = busiest(pack_load)
    high = float_of(high_bits)
    from_ = first_at(bits_of(pack_load), number, high_bits)
    our_loads = column_of(bits_of(load), pack, from_)
    our_tags = column_of(tag, pack, from_)
    ranks = tl.arange(0, C2)

    best = tl.full([C2, P2], INFINITE, tl.int32)
    held_at = tl.zeros([P2], tl.int32)
    our_too = held_at if C2 <= 32 else best < 0
    if C <= 16:
        for r in tl.static_range(C):
            our_load, our_tag = float_of(entry_of(our_loads, ranks, r)), entry_of(our_tags, ranks, r)
            best, held_at, our_too = _with_item(
                best, held_at, our_too, load, tag, pack_load, high, our_load, our_tag, r
            )
    else:
        for r in range(C):
            our_load, our_tag = float_of(entry_of(our_loads, ranks, r)), entry_of(our_tags, ranks, r)
            best, held_at, our_too = _with_item(
                best, held_at, our_too, load, tag, pack_load, high, our_load, our_tag, r
            )
    there = (rank < C) & (pack < P) & (pack != from_)
    if C2 <= 32:
        our_too = ((our_too[None, :] >> rank) & 1) > 0
    best = tl.where(there & ~our_too, best, INFINITE)
    after = least(best)
    other = tl.minimum(least(tl.where((best == after) & there, place, HIGHEST)), C * P - 1)

    to = other % P
    its_load = float_of(at(bits_of(load), other, P))
    its_pack_load = float_of(entry_of(bits_of(pack_load), number, to))
    less = float_of(our_loads) - its_load
    ours_after = bits_of(tl.maximum(high - less, its_pack_load + less))
    if C <= 32:
        stays = (entry_of(held_at, number, to) >> ranks) & 1
    else:
        theirs = column_of(tag, pack, to)
        stays = tl.max((our_tags[:, None] == theirs[None, :]).to(tl.int32), axis=1)
    one = first_at(tl.where((stays == 0) & (ranks < C), ours_after, HIGHEST), ranks, after)
    return tl.minimum(one, C - 1) * P + from_, other, float_of(after), high


@triton.jit
def best_swap_with_lightest(load, tag, pack_load, P: tl.constexpr, C: tl.constexpr):
    """The same, with the lightest pack alone: its items stand side by side in the threads of a warp."""
    C2: tl.constexpr = load.shape[0]
    number = tl.arange(0, load.shape[1])
    pack = number[None, :]
    high_bits = busiest(pack_load)
    high = float_of(high_bits)
    from_ = first_at(bits_of(pack_load), number, high_bits)
    lows = tl.where(number < P, ordered(pack_load), HIGHEST)
    to = first_at(lows, number, tl.min(lows, axis=0))
    low = float_of(entry_of(bits_of(pack_load), number, to))

    bits = bits_of(load)
    one, other = tl.arange(0, C2)[:, None], tl.arange(0, load.shape[1] if load.shape[1] > C2 else C2)[None, :]
    our_load, our_tag = spread(bits, pack, from_), spread(tag, pack, from_)
    # From all threads' registers to one item a thread; what no item is would leave an infinite load.
    here = one == other
    is_item = tl.arange(0, here.shape[1]) < C
    their_load = float_of(tl.sum(tl.where(here, spread(bits, pack, to), 0), axis=0))
    their_load = tl.where(is_item, their_load, -INF)[None, :]
    their_tag = tl.sum(tl.where(here, spread(tag, pack, to), 0), axis=0)
    their_tag = tl.where(is_item, their_tag, -2)[None, :]
    less = float_of(our_load) - their_load
    after = tl.where(one < C, tl.maximum(bits_of(high - less), bits_of(low + less)), INFINITE)
    other_tag = our_tag ^ their_tag
    if least(tl.where(one < C, other_tag & HIGHEST, HIGHEST)) == 0:
        same = (other_tag == 0).to(tl.int32)
        stays = (tl.max(same, axis=0)[None, :] > 0) | (tl.max(same, axis=1)[:, None] > 0)
        after = tl.where(stays, INFINITE, after)
    best = least(after)
    entry = least(tl.where(after == best, other * C + one, HIGHEST))
    entry = tl.minimum(entry, C * C - 1)
    return entry % C * P + from_, entry // C * P + to, float_of(best), high


@triton.jit
def best(load, tag, pack_load, P: tl.constexpr, C: tl.constexpr, LIGHTEST: tl.constexpr):
    """The best swap in a neighbourhood."""
    if LIGHTEST:
        return best_swap_with_lightest(load, tag, pack_load, P, C)
    return best_swap(load, tag, pack_load, P, C)


@triton.jit
def refine(
    load,
    tag,
    pack_load,
    least_gain,
    rounds,
    P: tl.constexpr,
    C: tl.constexpr,
    LIGHTEST: tl.constexpr,
):
    """At most so many swaps; what was before where the slot-ordered sums then are no better."""
    rank = tl.arange(0, load.shape[0])[:, None]
    number = tl.arange(0, load.shape[1])
    before, before_tag, before_load = load, tag, pack_load
    left = rounds
    while left > 0:
        one, other, after, high = best(load, tag, pack_load, P, C, LIGHTEST)
        left -= 1
        if (high - after) * P > least_gain:
            load, tag, less = swap(load, tag, one, other, P)
            pack_load = tl.where(number == one % P, pack_load - less, pack_load)
            pack_load = tl.where(number == other % P, pack_load + less, pack_load)
        else:
            left = 0
    pack_load = slot_sums(load, rank, C)
    if busiest(pack_load) > busiest(before_load):
        load, tag, pack_load = before, before_tag, before_load
    return load, tag, pack_load
