"""A swap with the busiest pack and one that passes the excess on, as `algorithms/improving/chains.py` chooses them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of, float_of
from eplb_xp.backends.kernels.improving.table import busiest, column_of, entry_of, first_at, row_of

INF = tl.constexpr(float("inf"))


@triton.jit
def best_chain(load, tag, pack_load, P: tl.constexpr, C: tl.constexpr, W: tl.constexpr, W2: tl.constexpr):
    """Four places, those that swap one after the other, and the busiest of the three packs' load then."""
    C2: tl.constexpr = load.shape[0]
    number = tl.arange(0, load.shape[1])
    rank, ranks = tl.arange(0, C2)[:, None], tl.arange(0, C2)
    pack = number[None, :]
    bits = bits_of(load)
    high_bits = busiest(pack_load)
    high = float_of(high_bits)
    from_ = first_at(bits_of(pack_load), number, high_bits)
    our_loads, our_tags = column_of(bits, pack, from_), column_of(tag, pack, from_)

    # The smallest swap that takes load off the busiest pack, for each other pack.
    less = tl.full([load.shape[1]], INF, tl.float32)
    our_rank, their_rank = number * 0, number * 0
    for one in tl.static_range(C):
        held = tl.max((tag == entry_of(our_tags, ranks, one)).to(tl.int32), axis=0)
        going = tl.where(held > 0, -INF, float_of(entry_of(our_loads, ranks, one)))
        for other in tl.static_range(C):
            its_tag = row_of(tag, rank, other)
            ours_too = number < 0
            for r in tl.static_range(C):
                ours_too = ours_too | (its_tag == entry_of(our_tags, ranks, r))
            coming = tl.where(ours_too, INF, float_of(row_of(bits, rank, other)))
            gain = going - coming
            better = (gain > 0.0) & (gain < less)
            less = tl.where(better, gain, less)
            our_rank, their_rank = tl.where(better, one, our_rank), tl.where(better, other, their_rank)
    none = less == INF
    moved_tag = number * 0
    for one in tl.static_range(C):
        moved_tag = tl.where(our_rank == one, entry_of(our_tags, ranks, one), moved_tag)

    # A second swap, of each pack with each of the lightest.
    between_load = pack_load + tl.where(none, 0.0, less)
    lows = tl.where(number < P, bits_of(tl.maximum(pack_load, 0.0)), HIGHEST)
    k = tl.arange(0, W2)
    lights = k * 0
    nearest = tl.full([load.shape[1]], INF, tl.float32)
    code = number * 0
    for i in range(W):
        light = first_at(lows, number, tl.min(lows, axis=0))
        lows = tl.where(number == light, HIGHEST, lows)
        lights = tl.where(k == i, light, lights)
        last_loads, last_tags = column_of(bits, pack, light), column_of(tag, pack, light)
        last_load = float_of(entry_of(bits_of(pack_load), number, light))
        halved, more = (between_load + last_load) * 0.5, (between_load - last_load) * 0.5
        for one in tl.static_range(C):
            one_tag = row_of(tag, rank, one)
            stays = none | (their_rank == one)
            for r in tl.static_range(C):
                stays = stays | (one_tag == entry_of(last_tags, ranks, r))
            gift = tl.where(stays, INF, float_of(row_of(bits, rank, one)))
            for other in tl.static_range(C):
                other_tag = entry_of(last_tags, ranks, other)
                kept = (light == from_) | (moved_tag == other_tag)
                for r in tl.static_range(C):
                    kept = kept | (row_of(tag, rank, r) == other_tag)
                wish = tl.where(kept, -INF, float_of(entry_of(last_loads, ranks, other)) + more)
                after = halved + tl.abs(gift - wish)
                its_code = (one * C + other) * W + i
                better = (after < nearest) | ((after == nearest) & (its_code < code))
                nearest = tl.where(better, after, nearest)
                code = tl.where(better, its_code, code)
    after = tl.maximum(nearest, high - less)
    after_bits = tl.where(number < P, bits_of(after), HIGHEST)
    best = tl.min(after_bits, axis=0)
    between = first_at(after_bits, number, best)
    entry = entry_of(code, number, between)
    light = entry_of(lights, k, entry % W)
    one, other = entry // W // C, entry // W % C
    return (
        entry_of(our_rank, number, between) * P + from_,
        entry_of(their_rank, number, between) * P + between,
        one * P + between,
        other * P + light,
        float_of(best),
        high,
    )
