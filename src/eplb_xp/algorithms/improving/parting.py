"""Replicas of one expert that share a GPU are parted, swap by swap.

As long as no expert has more replicas than there are GPUs, this ends with none shared. Say GPU p holds
expert e twice. Some GPU q lacks e. Either q holds an expert that p lacks, or all that q holds p
holds too, and then, q lacking e, it holds some expert twice. To swap e with the former, or with one of the latter,
makes the number of doubled replicas smaller.
"""

from typing import NamedTuple

from eplb_xp.algorithms.improving.swaps import swap
from eplb_xp.algorithms.improving.table import Table, column, packed_again
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Parting(NamedTuple):
    """A table, and what is left to do."""

    item: Array
    load: Array
    expert: Array
    pack_load: Array
    doubled: Array  # [rows, places] whether the expert is in the pack at a lower rank too


def part(lib: Standard, table: Table) -> Table:
    """The table once all are parted, each by the swap that leaves the busier GPU the least load."""
    xp = lib.xp

    def unfinished(parting: _Parting) -> Array:
        return xp.any(parting.doubled)

    def part_one(parting: _Parting) -> _Parting:
        item, load, held, pack_load, doubled = parting
        now = Table(item, load, held, pack_load)
        rows, num_packs = pack_load.shape
        by_rank = (rows, item.shape[-1] // num_packs, num_packs)
        one = lib.argmin(xp.astype(~doubled, lib.index_dtype))
        pack = one % num_packs
        expert = xp.reshape(held, by_rank)
        theirs_here = _any_of(lib, lib.take_along_axis(held, column(lib, now, pack)), expert)
        its_expert = lib.take_along_axis(held, one)
        there = xp.any(expert == its_expert[:, :, None], axis=1, keepdims=True)
        parts = ~there & (~theirs_here | xp.reshape(doubled, by_rank))

        less = lib.take_along_axis(load, one)[:, :, None] - xp.reshape(load, by_rank)
        ours_after = lib.take_along_axis(pack_load, pack)[:, :, None] - less
        busier = xp.where(parts, xp.maximum(ours_after, pack_load[:, None, :] + less), float("inf"))
        other = lib.argmin(xp.reshape(busier, item.shape))

        parted = swap(lib, now, (one, other), xp.any(doubled, axis=-1, keepdims=True))
        return _Parting(*parted, _doubled(lib, parted))

    found = lib.while_loop(unfinished, part_one, _Parting(*table, _doubled(lib, table)))
    return packed_again(lib, Table(*found[:4]))


def _any_of(lib: Standard, ours: Array, expert: Array) -> Array:
    """Whether each of the experts [rows, capacity, packs] is one of ours [rows, capacity]."""

    def also(rank: int, before: Array) -> Array:
        return before | (expert == ours[:, rank][:, None, None])

    return lib.fori_loop(1, ours.shape[1], also, expert == ours[:, :1][:, :, None])


def _doubled(lib: Standard, now: Table) -> Array:
    """Whether the expert of each place is in its pack at a lower rank too: [rows, places]."""
    xp = lib.xp
    rows, num_packs = now.pack_load.shape
    expert = xp.reshape(now.expert, (rows, now.expert.shape[-1] // num_packs, num_packs))
    rank = lib.arange(expert.shape[1], expert)[None, :, None]

    def also(other: int, before: Array) -> Array:
        return before | ((expert == expert[:, other, :][:, None, :]) & (rank > other))

    first = (expert == expert[:, :1, :]) & (rank > 0)
    return xp.reshape(lib.fori_loop(1, expert.shape[1], also, first), now.expert.shape)
