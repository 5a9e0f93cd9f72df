"""Packs of three items: where no swap helps, the packs that are not in the way are shaken.

Few items a pack offer few differences, so single swaps soon help no more. But most packs are lighter than the busiest,
and may change as long as none becomes as busy as that: it costs nothing, and what the busiest pack can get is
different then. So packs pair off, all at once, and each pair swaps two items of the same rank, those that leave the
busier of the two as busy as is allowed, which leaves the other the most room. In the next round each pack has another
partner: the round-robin of tournaments, pack p meeting pack (round - p) modulo the number of packs.

Shaking is the term of variable neighbourhood search (Mladenović and Hansen, 1997), where it is random.
"""

from typing import NamedTuple

from eplb_xp.algorithms.improving.refinement import best_swap
from eplb_xp.algorithms.improving.swaps import swap
from eplb_xp.algorithms.improving.table import Table, packed_again
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class _Shaking(NamedTuple):
    """A table, and what is left to do."""

    item: Array
    load: Array
    expert: Array
    pack_load: Array
    left: Array  # [rows, 1] rounds that may still be made; 0 once a bound is reached
    round: Array  # [1]


def shake(lib: Standard, table: Table, total: Array, policy: Policy, left: Array) -> Table:
    """The table after so many rounds [rows, 1]: the best swap where it helps, else all are shaken.

    A row is done once its busiest pack is within the policy's tolerance of the mean or of its largest item. The load of
    all items is given.
    """
    xp = lib.xp
    num_packs = table.pack_load.shape[-1]
    close = 1.0 + policy.tolerance
    bounds = total, xp.max(table.load, axis=-1, keepdims=True) * close

    def rounds_of_open(pack_load: Array, left: Array, total: Array, largest: Array) -> Array:
        busiest = xp.max(pack_load, axis=-1, keepdims=True)
        return xp.where((busiest > largest) & (busiest * num_packs > total * close), left, 0)

    def is_open(shaking: _Shaking) -> Array:
        return shaking.left > 0

    def one_round(shaking: _Shaking, bounds: tuple[Array, ...]) -> _Shaking:
        *parts, left, number = shaking
        total, largest = bounds
        now = Table(*parts)
        best = best_swap(lib, now, policy)
        helps = best.less * num_packs > total * policy.threshold
        swapped, shaken = swap(lib, now, best.places, helps), _shaken(lib, now, number)
        item, load, expert = (
            xp.where(left > 0, xp.where(helps, x, y), z) for x, y, z in zip(swapped[:3], shaken, now[:3], strict=True)
        )
        now = packed_again(lib, Table(item, load, expert, now.pack_load))
        return _Shaking(*now, rounds_of_open(now.pack_load, left - 1, total, largest), number + 1)

    left = rounds_of_open(table.pack_load, left, *bounds)
    return Table(*lib.while_rows(is_open, one_round, _Shaking(*table, left, lib.arange(1, left)), bounds)[:4])


def _shaken(lib: Standard, now: Table, number: Array) -> tuple[Array, Array, Array]:
    """Items, their loads and experts after each pair of packs has made its swap.

    Swaps are of items of one rank, so that both packs see the same; of equal ones it is the first. None puts an expert
    where that expert is already.
    """
    xp = lib.xp
    rows, num_packs = now.pack_load.shape
    capacity = now.item.shape[-1] // num_packs
    pack = lib.arange(num_packs, now.item)
    partner = (number % num_packs - pack) % num_packs
    ours = [xp.reshape(x, (rows, capacity, num_packs)) for x in now[:3]]
    theirs = [lib.take(x, partner, axis=-1) for x in ours]
    (_, load, expert), (_, their_load, their_expert) = ours, theirs
    pack_load, their_pack_load = (x[:, None, :] for x in (now.pack_load, lib.take(now.pack_load, partner, axis=-1)))
    less = load - their_load
    busier = xp.maximum(pack_load - less, their_pack_load + less)
    stays = (pack == partner)[None, None, :] | (busier >= xp.max(pack_load, axis=-1, keepdims=True))
    for rank in range(capacity):
        stays = (
            stays | (expert == their_expert[:, rank : rank + 1, :]) | (their_expert == expert[:, rank : rank + 1, :])
        )
    busier = xp.where(stays, -1.0, busier)
    best = xp.max(busier, axis=1, keepdims=True)
    rank = lib.arange(capacity, now.item)[None, :, None]
    first = xp.min(xp.where((busier == best) & (best >= 0.0), rank, capacity), axis=1, keepdims=True)
    item, load, expert = (
        xp.reshape(xp.where(rank == first, x, y), now.item.shape) for x, y in zip(theirs, ours, strict=True)
    )
    return item, load, expert
