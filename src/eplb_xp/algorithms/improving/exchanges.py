"""Two items of the busiest pack for two of another, where no single swap lowers it any more.

Swaps in a ring of three packs, one item each, would be no use once single ones are not. Say the
busiest pack gives a, gets c, and c < a; pack q gets a and gives b, pack r gets b and gives c. If b < a, then
swapping a and b alone would do, q being allowed a - b; if not, then c < a <= b, and swapping a and c
alone would do, r being allowed b - c, which is more. Only an expert that is there already could forbid that.
"""

from typing import NamedTuple

from eplb_xp.algorithms.improving.pairs import best_pairs
from eplb_xp.algorithms.improving.refinement import best_swap
from eplb_xp.algorithms.improving.swaps import swap_twice
from eplb_xp.algorithms.improving.table import Table
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class _Exchanging(NamedTuple):
    """A table, and what is left to do."""

    item: Array
    load: Array
    expert: Array
    pack_load: Array
    left: Array  # [rows, 1] swaps and exchanges that may still be made; 0 once none helps
    swaps: Array  # [rows, 1] whether single swaps may help


def exchange(lib: Standard, table: Table, total: Array, policy: Policy, left: Array) -> Table:
    """The table after swaps, and exchanges where no swap helps, for as long as any does, given the load of all items.

    At most as many as are ``left`` [rows, 1]. Rows that need an exchange wait for those that swap: it takes longer.
    """
    xp = lib.xp
    num_packs = table.pack_load.shape[-1]
    least = total * policy.threshold

    def is_open(state: _Exchanging) -> Array:
        return state.left > 0

    def swaps(state: _Exchanging) -> Array:
        return state.swaps

    def swap_once(state: _Exchanging, fixed: tuple[Array, ...]) -> _Exchanging:
        *parts, left, swaps = state
        (least,) = fixed
        now = Table(*parts)
        best = best_swap(lib, now, policy)
        helps = swaps & (best.less * num_packs > least)
        left = xp.where(helps, left - 1, left)
        return _Exchanging(*swap_twice(lib, now, best.places, best.places, helps), left, helps & (left > 0))

    def exchange_once(state: _Exchanging, fixed: tuple[Array, ...]) -> _Exchanging:
        *parts, left, _ = lib.while_rows(swaps, swap_once, state, fixed)
        (least,) = fixed
        now = Table(*parts)
        best = best_pairs(lib, now)
        helps = (left > 0) & (best.less * num_packs > least)
        left = xp.where(helps, left - 1, 0)
        return _Exchanging(*swap_twice(lib, now, best.first, best.second, helps), left, left > 0)

    return Table(*lib.while_rows(is_open, exchange_once, _Exchanging(*table, left, left > 0), (least,))[:4])
