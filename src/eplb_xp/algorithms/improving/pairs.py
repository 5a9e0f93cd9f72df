"""Two items of the busiest pack for two of another."""

from eplb_xp.algorithms.improving.sides import busiest_pack, holds, lightest_packs, place
from eplb_xp.algorithms.improving.swaps import TwoSwaps
from eplb_xp.algorithms.improving.table import Table
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# Exchanges that are looked at, which says with how many packs, lightest first; but with one in any case,
# which for packs of more items than these would be too many.
LOOKED_AT = 8192
MOST_ITEMS = 16


def best_pairs(lib: Standard, now: Table) -> TwoSwaps:
    """The exchange of two for two, of the busiest pack with a light one, that leaves the busier the least load.

    Of equal ones it is the first by pack, lightest first, then the evenest, by their pair, then by ours. None puts an
    expert where that expert is already.
    """
    xp = lib.xp
    rows, num_packs = now.pack_load.shape
    capacity = now.item.shape[-1] // num_packs
    pairs = capacity * (capacity - 1) // 2
    ours = busiest_pack(lib, now)
    theirs = lightest_packs(lib, now, min(max(LOOKED_AT // pairs**2, 1), num_packs))
    width = theirs.pack.shape[-1]

    going = xp.where(holds(lib, ours.expert, theirs.expert), -float("inf"), ours.load)
    coming = xp.where(holds(lib, theirs.expert, ours.expert), float("inf"), theirs.load)
    # Evenest is the load of both, halved; an exchange is as far from it as our pair is from the one wanted.
    halved = (ours.pack_load + theirs.pack_load) * 0.5
    more = (ours.pack_load - theirs.pack_load) * 0.5
    our_pairs = _pair_loads(lib, going)
    wanted = _pair_loads(lib, coming) + more[:, :, None]

    def least(pair: int, before: Array) -> Array:
        return xp.minimum(before, xp.abs(our_pairs[:, :, pair][:, :, None] - wanted))

    off = lib.fori_loop(0, pairs, least, xp.full_like(wanted, float("inf")))
    busier = halved + xp.min(off, axis=-1)
    pack = lib.argmin(busier)

    entry = pack * pairs + lib.arange(pairs, pack)[None, :]
    our_pairs, wanted = (lib.take_along_axis(xp.reshape(x, (rows, width * pairs)), entry) for x in (our_pairs, wanted))
    off = xp.abs(our_pairs[:, None, :] - wanted[:, :, None])
    entry = lib.argmin(xp.reshape(off, (rows, pairs**2)))
    their_pair, our_pair = entry // pairs, entry % pairs

    ours_first, ours_second = _ranks(lib, our_pair, capacity)
    theirs_first, theirs_second = _ranks(lib, their_pair, capacity)

    def swap_of(one: Array, other: Array) -> tuple[Array, Array]:
        return place(lib, ours, one, num_packs), place(lib, theirs, other * width + pack, num_packs)

    first, second = swap_of(ours_first, theirs_first), swap_of(ours_second, theirs_second)
    return TwoSwaps(first, second, ours.pack_load - lib.take_along_axis(busier, pack))


def _pair_loads(lib: Standard, load: Array) -> Array:
    """The loads of all pairs of items in each pack: [rows, capacity, packs] -> [rows, packs, pairs]."""
    xp = lib.xp
    capacity = load.shape[1]
    first, second = _ranks(lib, lib.arange(capacity * (capacity - 1) // 2, load), capacity)
    by_pack = xp.permute_dims(load, (0, 2, 1))
    return lib.take(by_pack, first, axis=-1) + lib.take(by_pack, second, axis=-1)


def _ranks(lib: Standard, pair: Array, capacity: int) -> tuple[Array, Array]:
    """The two ranks of a pair, pairs being in the order of `itertools.combinations`.

    Computed, because a table would have to travel to the device in every round.
    """

    def pairs_before(first: Array | int) -> Array | int:
        return first * (2 * capacity - first - 1) // 2

    first = lib.xp.zeros_like(pair)
    for rank in range(1, capacity - 1):
        first = lib.xp.where(pair >= pairs_before(rank), rank, first)
    return first, pair - pairs_before(first) + first + 1
