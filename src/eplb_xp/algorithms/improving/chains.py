"""What is too much for one pack goes on to another: a swap with the busiest pack, and one between two others."""

from typing import NamedTuple

from eplb_xp.algorithms.improving.sides import Side, all_packs, busiest_pack, holds, lightest_packs, place, some_packs
from eplb_xp.algorithms.improving.swaps import TwoSwaps
from eplb_xp.algorithms.improving.table import Table
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# The packs that the second swap may be with: so many, the lightest.
LAST_PACKS = 8


class _First(NamedTuple):
    """The swap with the busiest pack that passes the least load on to each pack: [rows, packs] each."""

    less: Array  # infinite where none does
    ours: Array  # rank of the item in the busiest pack
    theirs: Array  # rank of the item in the other pack


def best_chain(lib: Standard, now: Table) -> TwoSwaps:
    """The two swaps that leave the busiest of their three packs the least load.

    The first swap is the smallest that takes load off the busiest pack, with any other; the second is of
    another item, between that pack and one of the lightest. Of equal ones it is the first by that pack; then the
    second swap is the evenest one, the first by its items, then by the light pack, lightest first. None puts
    an expert where that expert is already.
    """
    xp = lib.xp
    num_packs = now.pack_load.shape[-1]
    ours, every = busiest_pack(lib, now), all_packs(lib, now)
    last = lightest_packs(lib, now, min(LAST_PACKS, num_packs))
    capacity, width = last.load.shape[1:]
    first = _first(lib, ours, every)
    chains = _second(lib, ours, every, last, first)
    least = chains[0]
    for others in chains[1:]:
        least = xp.minimum(least, others)
    busiest = xp.maximum(xp.min(least, axis=-1), ours.pack_load - first.less)
    between = lib.argmin(busiest)

    first = _First(*(lib.take_along_axis(x, between) for x in first))
    chains = _second(lib, ours, some_packs(lib, now, between), last, first)
    entry = lib.argmin(xp.concat([x[:, 0, :] for x in chains], axis=-1))
    second, light = entry // width, entry % width
    return TwoSwaps(
        (place(lib, ours, first.ours, num_packs), first.theirs * num_packs + between),
        (
            second // capacity * num_packs + between,
            place(lib, last, second % capacity * width + light, num_packs),
        ),
        ours.pack_load - lib.take_along_axis(busiest, between),
    )


def _first(lib: Standard, ours: Side, every: Side) -> _First:
    """The smallest swap that takes load off the busiest pack, for each other pack."""
    xp = lib.xp
    capacity = ours.load.shape[1]
    going = xp.where(holds(lib, ours.expert, every.expert), -float("inf"), ours.load)
    coming = xp.where(holds(lib, every.expert, ours.expert), float("inf"), every.load)
    found = _First(xp.full_like(every.pack_load, float("inf")), xp.zeros_like(every.pack), xp.zeros_like(every.pack))
    for one in range(capacity):
        for other in range(capacity):
            less = going[:, one, :] - coming[:, other, :]
            better = (less > 0.0) & (less < found.less)
            found = _First(
                xp.where(better, less, found.less),
                xp.where(better, one, found.ours),
                xp.where(better, other, found.theirs),
            )
    return found


def _second(lib: Standard, ours: Side, between: Side, last: Side, first: _First) -> list[Array]:
    """The load of the busier of a pack that has got an item for another, and a light one, after a swap of the two.

    [rows, packs, light packs] for each item of the pack and each of the light one; infinite where that can't be.
    """
    xp = lib.xp
    ranks = range(between.load.shape[1])
    same = [
        [between.expert[:, one, :][:, :, None] == last.expert[:, other, :][:, None, :] for other in ranks]
        for one in ranks
    ]
    none = first.less == float("inf")
    between_load = (between.pack_load + xp.where(none, 0.0, first.less))[:, :, None]
    last_load = last.pack_load[:, None, :]
    # Evenest is the load of both, halved; a swap is as far from it as what is given is from what is wanted.
    halved, more = (between_load + last_load) * 0.5, (between_load - last_load) * 0.5
    its = lib.take_along_axis(ours.expert[:, :, 0], first.ours)[:, :, None]
    not_last = (last.pack == ours.pack)[:, None, :]

    def given(one: int) -> Array:
        stays = (none | (first.theirs == one))[:, :, None]
        for its_expert in same[one]:
            stays = stays | its_expert
        return xp.where(stays, float("inf"), between.load[:, one, :][:, :, None])

    def wanted(other: int) -> Array:
        stays = not_last | (last.expert[:, other, :][:, None, :] == its)
        for its_expert in same:
            stays = stays | its_expert[other]
        return xp.where(stays, -float("inf"), last.load[:, other, :][:, None, :] + more)

    gives, wants = [given(one) for one in ranks], [wanted(other) for other in ranks]
    return [halved + xp.abs(gift - wish) for gift in gives for wish in wants]
