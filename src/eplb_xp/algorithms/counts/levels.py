"""Other replica counts than D'Hondt's, for GPUs of few slots.

D'Hondt makes the largest replica as small as it can be. But where GPUs have few slots that leaves many
middling replicas, which do not add up to even loads. So fewer spares are handed out that way, as many as a level
says, and the rest go one each to experts that have a single replica: to the heaviest of them, whose
halves fill gaps, or to the lightest, which leaves the loads as they are and fills slots.

The lowest level leaves no replica heavier than the mean GPU load, the highest is D'Hondt's counts, and the others lie
evenly between.
"""

from eplb_xp.algorithms.counts.candidates import Candidates
from eplb_xp.algorithms.counts.spares import Spares
from eplb_xp.algorithms.rows import count as number_of
from eplb_xp.algorithms.rows import for_each, tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def levels(lib: Standard, load: Array, spares: Spares, *, num_packs: int, num_levels: int, most: int) -> Candidates:
    """Two for each level, given D'Hondt's spares: the rest to the heaviest; then the same, the rest to the lightest."""
    xp = lib.xp
    rows, experts = load.shape
    num_spares = spares.expert.shape[-1]
    level = _levels(lib, load, spares, num_packs, num_levels)
    number = 2 * num_levels
    level = xp.reshape(xp.concat([level, level], axis=-1), (rows * number, 1))
    to_lightest = (lib.arange(rows * number, load) % number >= num_levels)[:, None]

    _, order = lib.sort_rows(load, lib.arange_like(load), descending=True)
    order, spare, following = (for_each(lib, x, number) for x in (order, spares.expert, _following(lib, spares)))
    last = (lib.arange_like(spare) < level) & (following >= level)
    count = xp.ones_like(xp.concat([order, level], axis=-1))
    rank = for_each(lib, spares.rank, number)
    count = lib.put_along_axis(count, xp.where(last, spare, experts), rank + 1)

    heaviest_first = lib.take_along_axis(count, order)
    turn, open_ = _turns(lib, heaviest_first, to_lightest, most)
    gets = open_ & (turn <= num_spares - level)
    place = xp.where(gets, level + turn - 1, num_spares)
    spare = lib.put_along_axis(xp.concat([spare, level], axis=-1), place, order)[:, :num_spares]
    count = lib.put_along_axis(count[:, :experts], order, xp.where(gets, heaviest_first + 1, heaviest_first))

    # Where the rest is more than there are experts that may have one, D'Hondt's counts stand in.
    possible = number_of(lib, open_) >= num_spares - level
    spare, count = (
        xp.where(possible, x, for_each(lib, y, number)) for x, y in ((spare, spares.expert), (count, spares.count))
    )
    return Candidates(spare, count)


def _levels(lib: Standard, load: Array, spares: Spares, num_packs: int, num_levels: int) -> Array:
    """How many spares each level hands out by D'Hondt's rule: [rows, levels]."""
    xp = lib.xp
    num_spares = spares.expert.shape[-1]
    before = lib.divide(lib.take_along_axis(load, spares.expert), xp.astype(spares.rank, xp.float32))
    lowest = number_of(lib, before * num_packs > tree_sum(lib, load)[:, None])
    one_each = max(num_spares - load.shape[-1], 0)
    lowest = xp.where(lowest < one_each, one_each, lowest)
    return lowest + (num_spares - lowest) * lib.arange(num_levels, load)[None, :] // max(num_levels - 1, 1)


def _following(lib: Standard, spares: Spares) -> Array:
    """Which spare is the next of the same expert, or how many there are: [rows, spares]."""
    xp = lib.xp
    num_spares = spares.expert.shape[-1]
    expert, spare = lib.sort_rows(xp.astype(spares.expert, xp.float32), lib.arange_like(spares.expert))
    none = xp.full_like(spare[:, :1], num_spares)
    following = xp.where(expert[:, 1:] == expert[:, :-1], spare[:, 1:], num_spares)
    return lib.put_along_axis(spare, spare, xp.concat([following, none], axis=-1))


def _turns(lib: Standard, count: Array, to_lightest: Array, most: int) -> tuple[Array, Array]:
    """When the turn of each expert comes for one more replica, from 1, and whether it may have one.

    Experts stand heaviest first; those of a single replica come before the others.
    """
    xp = lib.xp
    single = count == 1
    open_ = count < most

    def turn(those: Array) -> Array:
        heaviest = xp.cumulative_sum(xp.astype(those, lib.index_dtype), axis=-1, dtype=lib.index_dtype)
        return xp.where(to_lightest, heaviest[:, -1:] - heaviest + 1, heaviest)

    return xp.where(single, turn(single), number_of(lib, single) + turn(open_ & ~single)), open_
