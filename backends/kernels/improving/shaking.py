"""Swaps, and pairs of packs shaken where none helps, as `algorithms/improving/shaking.py` has it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.improving.refinement import best
from eplb_xp.backends.kernels.improving.swaps import swap
from eplb_xp.backends.kernels.improving.table import busiest, places, row_of, slot_sums


@triton.jit
def _shaken(load, tag, pack_load, number, P: tl.constexpr, C: tl.constexpr):
    """Loads and tags after each pair of packs has made its swap."""
    C2: tl.constexpr = load.shape[0]
    P2: tl.constexpr = load.shape[1]
    rank, pack, _ = places(C2, P, P2)
    partner = tl.where(pack < P, (number % P + P - pack) % P, pack)
    its_pack = tl.broadcast_to(partner, [C2, P2])
    their_load, their_tag = tl.gather(load, its_pack, 1), tl.gather(tag, its_pack, 1)
    less = load - their_load
    busier = tl.maximum(pack_load[None, :] - less, slot_sums(their_load, rank, C)[None, :] + less)
    high = float_of(busiest(pack_load))
    stays = (partner == pack) | (rank >= C) | (busier >= high)
    for r in tl.static_range(C):
        stays = stays | (tag == row_of(their_tag, rank, r)[None, :]) | (their_tag == row_of(tag, rank, r)[None, :])
    busier = tl.where(stays, -1.0, busier)
    most = tl.max(busier, axis=0)
    first = tl.min(tl.where((busier == most[None, :]) & (most >= 0.0)[None, :], rank, C2), axis=0)
    goes = rank == first[None, :]
    return tl.where(goes, their_load, load), tl.where(goes, their_tag, tag)


@triton.jit
def _is_open(pack_load, largest, total, P: tl.constexpr, CLOSE: tl.constexpr):
    """Whether the busiest pack is above both bounds."""
    high = float_of(busiest(pack_load))
    return (high > largest * CLOSE) & (high * P > total * CLOSE)


@triton.jit
def shake(load, tag, pack_load, total, least_gain, rounds, S: tl.constexpr):
    """So many rounds; what was before where the busiest pack is no better then."""
    P: tl.constexpr = S.gpus
    rank = tl.arange(0, load.shape[0])[:, None]
    before, before_tag, before_load = load, tag, pack_load
    largest = float_of(tl.max(tl.max(bits_of(load), axis=0), axis=0))
    left = tl.where(_is_open(pack_load, largest, total, P, S.close), rounds, 0)
    number = rounds * 0
    while left > 0:
        one, other, after, high = best(load, tag, pack_load, P, S.capacity, S.lightest)
        if (high - after) * P > least_gain:
            load, tag, _ = swap(load, tag, one, other, P)
        else:
            load, tag = _shaken(load, tag, pack_load, number, P, S.capacity)
        pack_load = slot_sums(load, rank, S.capacity)
        left = tl.where(_is_open(pack_load, largest, total, P, S.close), left - 1, 0)
        number += 1
    if busiest(pack_load) > busiest(before_load):
        load, tag, pack_load = before, before_tag, before_load
    return load, tag, pack_load
