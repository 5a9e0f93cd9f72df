"""Which rank's tokens each replica takes: of its own GPU first, then of its node, then of all.

In each of these groups, and for each expert, the tokens of ranks stand in one line and the room that replicas have in
another, in the order of GPUs; what is at the same place goes together (the north-west-corner rule).
"""

import math
from typing import NamedTuple

from eplb_xp.algorithms.maps import looked_up
from eplb_xp.algorithms.rows import inverse
from eplb_xp.algorithms.runs import runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Batch(NamedTuple):
    """Shares of a plan, the plan, and what each rank has."""

    share: Array  # [layers, replicas]
    phy2log: Array  # [layers, replicas]
    log2phy: Array  # [layers, experts, width]
    logcnt: Array  # [layers, experts]
    counts: Array  # [layers, ranks, experts]


class _Left(NamedTuple):
    """Tokens that no replica has yet, and the room for more."""

    tokens: Array  # [layers, ranks, experts]
    room: Array  # [layers, replicas], replicas of an expert in a row


class _Lines(NamedTuple):
    """From where to where tokens and room stand, in the shapes of `_Left`."""

    begin: _Left
    end: _Left


def quotas(lib: Standard, *arrays: Array, num_nodes: int) -> tuple[Array]:
    """Quotas of all ranks, given a `_Batch`: [layers, ranks, experts, width]."""
    batch = _Batch(*arrays)
    layers, ranks, _ = batch.counts.shape
    rank = lib.xp.broadcast_to(lib.arange(ranks, batch.counts), (layers, ranks))
    return (_quotas(lib, batch, rank, num_nodes),)


def quotas_of_rank(lib: Standard, rank: Array, *arrays: Array, num_nodes: int) -> tuple[Array]:
    """Those of one rank, which is given for each layer [layers, 1]: [layers, experts, width]."""
    batch = _Batch(*arrays)
    rank = lib.xp.clip(lib.xp.astype(rank, lib.index_dtype), 0, batch.counts.shape[1] - 1)
    return (_quotas(lib, batch, rank, num_nodes)[:, 0, :, :],)


def _quotas(lib: Standard, batch: _Batch, rank: Array, num_nodes: int) -> Array:
    """Those of some ranks [layers, some]: [layers, some, experts, width]."""
    xp = lib.xp
    share, phy2log, log2phy, logcnt, counts = (xp.astype(x, lib.index_dtype) for x in batch)
    ranks, experts = counts.shape[1:]
    slots = phy2log.shape[1]
    runs = runs_of(lib, looked_up(lib, phy2log, experts), experts)
    gpu = runs.order // (slots // ranks)
    counts = xp.clip(counts, 0, None)
    left = _Left(counts, lib.take_along_axis(xp.clip(share, 0, None), runs.order))

    rank = rank[:, :, None]
    its_tokens = rank * experts + runs.owner[:, None, :]  # [layers, some, replicas]
    taken = xp.zeros_like(its_tokens)
    for size in sorted({1, ranks // num_nodes, ranks}):
        lines, left = _met(lib, left, gpu // size, runs.owner, size)
        begin, end = (_entries(lib, x.tokens, its_tokens) for x in lines)
        begin = xp.maximum(begin, lines.begin.room[:, None, :])
        end = xp.minimum(end, lines.end.room[:, None, :])
        in_group = gpu[:, None, :] // size == rank // size
        taken = taken + xp.where(in_group, xp.clip(end - begin, 0, None), 0)

    place = _entries(lib, inverse(lib, runs.order), xp.clip(log2phy, 0, slots - 1))[:, None, :, :]
    number = lib.arange(rank.shape[1], rank)[None, :, None, None]
    quota = xp.cumulative_sum(_entries(lib, taken, number * slots + place), axis=-1, dtype=lib.index_dtype)
    # The last replica takes what no share is left for, where counts and shares are of different batches.
    own = _entries(lib, counts, rank * experts + lib.arange(experts, rank)[None, None, :])[:, :, :, None]
    is_last = lib.arange_like(place) >= logcnt[:, None, :, None] - 1
    return xp.where(is_last, own, quota)


def _met(lib: Standard, left: _Left, group: Array, expert: Array, size: int) -> tuple[_Lines, _Left]:
    """The lines of groups of so many GPUs, and what is left where one is longer than the other."""
    xp = lib.xp
    layers, ranks, experts = left.tokens.shape
    shape = (layers, ranks // size, size, experts)
    number = ranks // size * experts
    until = xp.cumulative_sum(xp.reshape(left.tokens, shape), axis=2, dtype=lib.index_dtype)
    all_tokens = xp.reshape(until[:, :, -1, :], (layers, number))

    line = group * experts + expert
    differs, edge = line[:, 1:] != line[:, :-1], line[:, :1] >= 0
    end = xp.cumulative_sum(left.room, axis=-1, dtype=lib.index_dtype)
    begin = end - left.room
    start = -lib.running_minimum(-xp.where(xp.concat([edge, differs], axis=-1), begin, 0))
    begin, end = begin - start, end - start
    no_room = xp.broadcast_to(xp.zeros_like(line[:, :1]), (layers, number + 1))
    is_last = xp.concat([differs, edge], axis=-1)
    all_room = lib.put_along_axis(no_room, xp.where(is_last, line, number), end)[:, :number]

    until = _Left(xp.reshape(until, left.tokens.shape), end)
    lines = _Lines(_Left(until.tokens - left.tokens, begin), until)
    here = xp.reshape(xp.broadcast_to(xp.reshape(all_room, (*shape[:2], 1, experts)), shape), left.tokens.shape)
    others = _Left(here, lib.take_along_axis(all_tokens, line))
    return lines, _Left(*(_behind(lib, *x) for x in zip(lines.begin, lines.end, others, strict=True)))


def _behind(lib: Standard, begin: Array, end: Array, other: Array) -> Array:
    """How much of a stretch stands behind the end of the other line."""
    return lib.xp.maximum(end, other) - lib.xp.maximum(begin, other)


def _entries(lib: Standard, x: Array, place: Array) -> Array:
    """What each layer has at these places, all that it has being in one row: of the shape of the places."""
    flat, at = (lib.xp.reshape(each, (each.shape[0], math.prod(each.shape[1:]))) for each in (x, place))
    return lib.xp.reshape(lib.take_along_axis(flat, at), place.shape)
