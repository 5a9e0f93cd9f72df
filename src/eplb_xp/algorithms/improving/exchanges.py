"""Two swaps at once, where no single one lowers the busiest pack any more.

With four items or more in a pack, two of the busiest pack go for two of another: `pairs.py`. With
fewer that is nothing new, what stays behind being one swap or none; there the second swap passes
what is too much for the other pack on to a third: `chains.py`.

Swaps in a ring of three packs, one item each, would be no use once single ones are not. Say the
busiest pack gives a, gets c, and c < a; pack q gets a and gives b, pack r gets b and gives c. If b < a, then
swapping a and b alone would do, q being allowed a - b; if not, then c < a <= b, and swapping a and c
alone would do, r being allowed b - c, which is more. Only an expert that is there already could forbid that.
"""

from eplb_xp.algorithms.improving.chains import best_chain
from eplb_xp.algorithms.improving.pairs import MOST_ITEMS, best_pairs
from eplb_xp.algorithms.improving.refinement import best_swap, improved
from eplb_xp.algorithms.improving.swaps import swap_twice
from eplb_xp.algorithms.improving.table import Table
from eplb_xp.algorithms.packing.packed import Items, Packed
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array

FEWEST_ITEMS_OF_PAIRS = 4


def exchange(lib: Standard, packs: Packed, items: Items, policy: Policy) -> Array:
    """The item in each slot, after swaps, and two at once where no single one helps, for as long as any does."""
    xp = lib.xp
    num_packs = packs.pack_load.shape[-1]
    capacity = packs.item.shape[-1] // num_packs
    if capacity > MOST_ITEMS:
        return packs.item
    best_two = best_pairs if capacity >= FEWEST_ITEMS_OF_PAIRS else best_chain

    def best(now: Table, least: Array) -> tuple[Table, Array]:
        one, two = best_swap(lib, now, policy), best_two(lib, now)
        one_helps = one.less * num_packs > least
        helps = one_helps | (two.less * num_packs > least)
        first, second = (
            tuple(xp.where(one_helps, x, y) for x, y in zip(one.places, places, strict=True))
            for places in (two.first, two.second)
        )
        return swap_twice(lib, now, first, second, helps), helps

    return improved(lib, packs, items, policy, rounds=policy.finish, improve=best)
