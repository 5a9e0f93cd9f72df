"""Shares on rings: the smallest load of the busiest GPU, exactly, without rounds.

Let no GPU have more than t tokens. Walk along the ring: each expert fills the GPUs of its stretch one after the other,
and what does not fit before the last of them must fit there, where the next expert begins with what is left. What
flows on from a GPU is r' = max(0, r + x), x being the tokens of the expert that begins there and of those that are
there alone, less t: Lindley's recursion of a queue, here closed to a ring. Where a stretch ends, nothing may be left.
"""

from typing import NamedTuple

from eplb_xp.algorithms.runs import of_owner
from eplb_xp.algorithms.sharing.proofs import Proof, least
from eplb_xp.algorithms.sharing.stretches import following
from eplb_xp.algorithms.sharing.table import Table, by_place, on_gpus
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array, Prepared

# Below what any flow can make up for.
NEVER = -(2**30)


class Ring(NamedTuple):
    """What of a layer lies where on its rings."""

    size: Array  # [layers, 1] GPUs of a ring
    alone: Array  # [layers, gpus] tokens that are there alone
    begins: Array  # [layers, gpus] tokens of the expert whose stretch begins there
    ends: Array  # [layers, gpus] whether a stretch ends there
    place: Array  # [layers, slots of a GPU, gpus] of a GPU in the stretch of the expert, -1 for none
    batch: Table


class _Bracket(NamedTuple):
    """Loads of the busiest GPU: one that may be too little, and one that is enough."""

    low: Array  # [layers, 1]
    high: Array


class _Twice(NamedTuple):
    """Each ring twice round, one ring after the other: [layers, twice the gpus]."""

    place: Array  # from where its ring began
    tokens: Array  # that are there alone, and of the expert whose stretch begins there
    room: Array  # what is there alone, where a stretch ends in the second round; else less than any load


class Solution(NamedTuple):
    """Shares, and why there are no better ones."""

    share: Array  # [layers, slots of a GPU, gpus]
    proof: Proof


def ring_of(lib: Standard, prepared: Prepared[Array], batch: Table) -> Ring:
    """The rings of each layer; of layers that are none, something."""
    xp = lib.xp
    num_gpus = batch.tokens.shape[-1]
    size = xp.where(prepared.size > 0, prepared.size, 1)
    start = by_place(lib, of_owner(lib, prepared.start, prepared.expert), num_gpus)
    gpu = lib.arange(num_gpus, start)[None, None, :]
    place = xp.where(batch.holders > 1, (gpu - start) % size[:, None, :], -1)
    alone = on_gpus(lib, xp.where(batch.holders == 1, batch.tokens, 0))
    begins = on_gpus(lib, xp.where(place == 0, batch.tokens, 0))
    ends = xp.any((batch.holders > 1) & (place == batch.holders - 1), axis=1)
    return Ring(size, alone, begins, ends, place, batch)


def solved(lib: Standard, ring: Ring, enough: Array) -> Solution:
    """The best shares, given a load of the busiest GPU [layers, 1] for which there are some."""
    xp = lib.xp
    trivial = _trivial_proof(lib, ring)
    low = least(trivial)
    twice = _twice(lib, ring)

    def unfinished(bracket: _Bracket) -> Array:
        return xp.any(bracket.low < bracket.high)

    def halve(bracket: _Bracket) -> _Bracket:
        middle = (bracket.low + bracket.high) // 2
        fits = xp.all(_into(lib, twice, middle) + twice.room <= middle, axis=-1, keepdims=True)
        is_open = bracket.low < bracket.high
        low = xp.where(is_open & ~fits, middle + 1, bracket.low)
        return _Bracket(low, xp.where(is_open & fits, middle, bracket.high))

    most = lib.while_loop(unfinished, halve, _Bracket(low, xp.where(enough > low, enough, low))).low
    gpu = lib.arange_like(ring.alone)
    second = gpu + (gpu // ring.size + 1) * ring.size  # where each GPU is in the second round
    behind = following(gpu, ring.size)
    into = lib.take_along_axis(_into(lib, twice, most), second)
    out = lib.take_along_axis(into, behind)
    share = _shares(lib, ring, into[:, None, :], out[:, None, :])
    into = lib.take_along_axis(_into(lib, twice, most - 1), second)
    arc = _overfull_arc(lib, ring, most - 1, into, gpu)
    return Solution(share, Proof(*(xp.where(most > low, x, y) for x, y in zip(arc, trivial, strict=True))))


def _shares(lib: Standard, ring: Ring, into: Array, out: Array) -> Array:
    """What each place takes, given what flows into and out of its GPU [layers, 1, gpus]."""
    xp = lib.xp
    tokens, length, _ = ring.batch
    share = xp.where(ring.place == 0, tokens - out, xp.where(ring.place == length - 1, into, into - out))
    return xp.where(length > 1, share, xp.where(length == 1, tokens, 0))


def _twice(lib: Standard, ring: Ring) -> _Twice:
    xp = lib.xp
    position = lib.arange_like(xp.concat([ring.alone, ring.alone], axis=-1))
    place = position % (2 * ring.size)
    gpu = position // (2 * ring.size) * ring.size + place % ring.size
    alone, begins, ends = (lib.take_along_axis(x, gpu) for x in (ring.alone, ring.begins, ring.ends))
    return _Twice(place, alone + begins, xp.where(ends & (place >= ring.size), alone, NEVER))


def _into(lib: Standard, twice: _Twice, most: Array) -> Array:
    """What flows into each GPU, if none has more than this: right in the second round.

    As a function of what flows in, some GPUs in a row are r -> max(at_least, r + more). These are composed for twice as
    many GPUs each time, until they go round the ring: going round once more changes nothing, since all that is there
    fits on the ring. For that reason no sum gets larger than all tokens; none gets so small as to be none of 32 bits.
    """
    xp = lib.xp
    more = twice.tokens - most
    at_least = xp.zeros_like(more)
    step = 1
    while step < more.shape[-1] // 2:
        before, before_more = (xp.concat([x[:, :step], x[:, :-step]], axis=-1) for x in (at_least, more))
        goes_back = twice.place >= step
        at_least = xp.where(goes_back, xp.maximum(at_least, before + more), at_least)
        more = xp.where(goes_back, xp.clip(before_more + more, NEVER, None), more)
        step *= 2
    out = xp.maximum(at_least, more)
    return xp.where(twice.place > 0, xp.concat([out[:, :1], out[:, :-1]], axis=-1), 0)


def _trivial_proof(lib: Standard, ring: Ring) -> Proof:
    """The GPU with most tokens that are there alone, or the fullest ring."""
    xp = lib.xp
    gpu = lib.arange_like(ring.alone)
    single = lib.argmin(-ring.alone)
    alone = lib.take_along_axis(ring.alone, single)
    before = xp.cumulative_sum(ring.alone + ring.begins, axis=-1, dtype=lib.index_dtype)
    before = xp.concat([xp.zeros_like(alone), before], axis=-1)
    first = gpu // ring.size * ring.size
    on_ring = lib.take_along_axis(before, first + ring.size) - lib.take_along_axis(before, first)
    fullest = lib.argmin(-on_ring)
    together = lib.take_along_axis(on_ring, fullest)
    is_single = alone >= -(-together // ring.size)
    return Proof(
        xp.where(is_single, gpu == single, gpu // ring.size == fullest // ring.size),
        xp.where(is_single, alone, together),
        xp.where(is_single, 1, ring.size),
    )


def _overfull_arc(lib: Standard, ring: Ring, most: Array, into: Array, gpu: Array) -> Proof:
    """GPUs in a row that must take more than fits, up to the first where too much is left at a stretch's end."""
    xp = lib.xp
    overfull = ring.ends & (into + ring.alone > most)
    last = lib.argmin(xp.astype(~overfull, lib.index_dtype))
    same_ring = gpu // ring.size == last // ring.size
    back = (last - gpu) % ring.size
    # It begins where nothing flows in.
    length = xp.min(xp.where(same_ring & (into == 0), back, ring.size), axis=-1, keepdims=True) + 1
    length = xp.clip(length, None, ring.alone.shape[-1])
    arc = same_ring & (back < length)
    there = xp.where(arc, ring.alone + xp.where(gpu == last, 0, ring.begins), 0)
    return Proof(arc, xp.sum(there, axis=-1, keepdims=True, dtype=lib.index_dtype), length)
