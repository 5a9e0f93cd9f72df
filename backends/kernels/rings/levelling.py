"""Experts change seats, as `algorithms/rings/levelling.py` has them.

The slots are a table, as everywhere. Beside it stand those of the seats with several, seat by seat, of which alone the
GPUs must be looked up. A slot's tag is its seat's number of slots - 1, the expert whose seat it was before any swap,
and the expert that sits there, ten bits each: so tags of seats with one slot are in the order of the seats.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, INFINITE, bits_of, float_of
from eplb_xp.backends.kernels.improving.table import (
    busiest,
    column_of,
    entry_of,
    first_at,
    least,
    places,
    read_table,
    slot_sums,
)
from eplb_xp.backends.kernels.packing.packed import SINGLE

INF = tl.constexpr(float("inf"))
SEVERAL = tl.constexpr(2**20)


@triton.jit
def _store_seats(own, S: tl.constexpr):
    """Write the tags of the slots, each expert in its own seat, and those of seats with several in a row; how many.

    Slots are a row here: of what is read or written here and there Triton gives a table's threads no whole columns.
    """
    e, place = tl.arange(0, S.node_experts2), tl.arange(0, S.slots2)
    is_slot = place < S.slots
    count = tl.load(own + S.count_at + e, mask=e < S.node_experts, other=0)
    length = tl.where(count > 1, count, 0)
    next_at = own + S.sorted_tag_at
    tl.store(next_at + e, tl.cumsum(length, axis=0) - length, mask=e < S.node_experts)
    expert = tl.load(own + S.slot_at + place, mask=is_slot, other=0) % SINGLE
    tag = (tl.load(own + S.count_at + expert, mask=is_slot, other=1) - 1) << 20 | expert << 10 | expert
    tl.debug_barrier()
    is_one = is_slot & (tag >= SEVERAL)
    entry = tl.atomic_add(next_at + expert, 1, mask=is_one, sem="relaxed")
    tl.store(own + S.item_tag_at + entry, tag, mask=is_one)
    tl.store(own + S.item_load_at + entry, place % S.gpus, mask=is_one)
    tl.store(own + S.slot_at + place, tag, mask=is_slot)
    tl.debug_barrier()
    return tl.sum(length, axis=0)


@triton.jit
def _runs(number, own, S: tl.constexpr):
    """The slots of seats with several, seat by seat: loads, tags, GPUs, and whether they are the seat's last."""
    i = tl.arange(0, S.linked2)
    tag = tl.load(own + S.item_tag_at + i, mask=i < number, other=-1)
    following = tl.load(own + S.item_tag_at + i + 1, mask=i + 1 < number, other=-1)
    gpu = tl.load(own + S.item_load_at + i, mask=i < number, other=0)
    load = float_of(tl.load(own + S.load_at + (tag & 0x3FF), mask=i < number, other=0))
    return tl.div_rn(load, (tl.maximum(tag >> 20, 0) + 1).to(tl.float32)), tag, gpu, tag != following


@triton.jit
def _largest_of_seat(load, seat, next_load, next_seat):
    return tl.where(seat == next_seat, tl.maximum(load, next_load), next_load), next_seat


@triton.jit
def _busier(high, heaviest, less):
    """Bits of the load of the busier packs, once the busiest has so much less and others more."""
    return tl.maximum(bits_of(high - less), bits_of(heaviest + less))


@triton.jit
def _with_ours(best, best_run, high, ours, our_tag, single, pack_load, run_load, run_tag, heaviest, r, S: tl.constexpr):
    """The loads of the busier packs after swaps with our seats of ranks before, with those of one more."""
    if r >= S.single_rank:
        less = ours - single
        if r < S.linked_ranks:
            # Between two infinite loads the difference is infinite, too.
            less = tl.where(our_tag < SEVERAL, ours, INF) - single
        best = tl.minimum(best, _busier(high, pack_load[None, :], less))
    if r < S.linked_ranks:
        after = _busier(high, heaviest, ours - run_load)
        best_run = tl.minimum(best_run, tl.where(run_tag >> 20 == our_tag >> 20, after, INFINITE))
    return best, best_run


@triton.jit
def _sum(here, load):
    """The bits of the one load of a table that is there, or 0."""
    return tl.sum(tl.sum(tl.where(here, bits_of(load), 0), axis=0), axis=0)


@triton.jit
def _best_swap(load, tag, run_load, run_tag, run_gpu, is_last, S: tl.constexpr):
    """Tag and load of our seat and of theirs, and how much less the busiest pack will have."""
    P: tl.constexpr = S.gpus
    C: tl.constexpr = S.capacity
    rank, pack, _ = places(S.capacity2, P, S.columns2)
    ranks, number = tl.arange(0, S.capacity2), tl.arange(0, S.columns2)
    pack_load = slot_sums(load, rank, C)
    high_bits = busiest(pack_load)
    high = float_of(high_bits)
    from_ = first_at(bits_of(pack_load), number, high_bits)
    our_loads, our_tags = column_of(bits_of(load), pack, from_), column_of(tag, pack, from_)
    heaviest = tl.gather(bits_of(pack_load), run_gpu, 0)
    heaviest = tl.associative_scan((heaviest, run_tag), 0, _largest_of_seat)[0]
    heaviest = tl.where(is_last, float_of(heaviest), INF)

    single = tl.where((rank >= S.linked_ranks) | (tag < SEVERAL), load, -INF)
    best = tl.full([S.capacity2, S.columns2], INFINITE, tl.int32)
    best_run = tl.full([S.linked2], INFINITE, tl.int32)
    if C <= 16:
        for r in tl.static_range(C):
            ours, our_tag = float_of(entry_of(our_loads, ranks, r)), entry_of(our_tags, ranks, r)
            best, best_run = _with_ours(
                best, best_run, high, ours, our_tag, single, pack_load, run_load, run_tag, heaviest, r, S
            )
    else:
        for r in range(C):
            ours, our_tag = float_of(entry_of(our_loads, ranks, r)), entry_of(our_tags, ranks, r)
            best, best_run = _with_ours(
                best, best_run, high, ours, our_tag, single, pack_load, run_load, run_tag, heaviest, r, S
            )
    best = tl.where((rank >= S.single_rank) & (rank < C) & (pack < P), best, INFINITE)
    after = tl.minimum(least(best), tl.min(best_run, axis=0))
    run_seat = run_tag & 0xFFFFF
    theirs = tl.minimum(
        least(tl.where(best == after, tag, HIGHEST)),
        tl.min(tl.where(best_run == after, run_seat, HIGHEST), axis=0),
    )

    here, in_run = tag == theirs, is_last & (run_seat == theirs)
    their_load = float_of(_sum(here, load) + tl.sum(tl.where(in_run, bits_of(run_load), 0), axis=0))
    its_heaviest = float_of(_sum(here, pack_load[None, :]) + tl.sum(tl.where(in_run, bits_of(heaviest), 0), axis=0))
    theirs += tl.sum(tl.where(in_run, run_tag - run_seat, 0), axis=0)
    busier = _busier(high, its_heaviest, float_of(our_loads) - their_load)
    one = first_at(tl.where((ranks < C) & (our_tags >> 20 == theirs >> 20), busier, HIGHEST), ranks, after)
    ours, our_load = entry_of(our_tags, ranks, one), float_of(entry_of(our_loads, ranks, one))
    return ours, our_load, theirs, their_load, high - float_of(after)


@triton.jit
def _swapped(x, tag, one, x_one, other, x_other):
    """Entries of slots, those of two seats swapped."""
    return tl.where(tag == one, x_other, tl.where(tag == other, x_one, x))


@triton.jit
def levelled(own, S: tl.constexpr):
    """Loads and experts of a table that is written, after at most so many swaps of seats as the policy has rounds."""
    is_rank = tl.arange(0, S.capacity2)[:, None] < S.capacity
    gain = float_of(tl.load(own + S.gain_at))
    number = _store_seats(own, S)
    load, tag = read_table(own, S)
    run_load, run_tag, run_gpu, is_last = _runs(number, own, S)
    left = S.rounds
    while left > 0:
        ours, our_load, theirs, their_load, less = _best_swap(load, tag, run_load, run_tag, run_gpu, is_last, S)
        left -= 1
        if less * S.gpus > gain:
            # Seats keep their slots; only who sits there is swapped.
            guests = (ours ^ theirs) & 0x3FF
            to_ours, to_theirs = ours ^ guests, theirs ^ guests
            load = tl.where(is_rank, _swapped(load, tag, ours, our_load, theirs, their_load), 0.0)
            tag = tl.where(is_rank, _swapped(tag, tag, ours, to_theirs, theirs, to_ours), -1)
            run_load = _swapped(run_load, run_tag, ours, our_load, theirs, their_load)
            run_tag = _swapped(run_tag, run_tag, ours, to_theirs, theirs, to_ours)
        else:
            left = 0
    return load, tag & 0x3FF
