"""What comes after swaps, by the number of items in a pack.

Two: nothing, since the heaviest beside the lightest, as they are packed, are the best pairs there are. Three:
`shaking.py`. Four to sixteen: `exchanges.py`. With more, single swaps leave less than 0.01 %.
"""

from eplb_xp.algorithms.improving.exchanges import exchange
from eplb_xp.algorithms.improving.pairs import MOST_ITEMS
from eplb_xp.algorithms.improving.refinement import refine
from eplb_xp.algorithms.improving.shaking import shake
from eplb_xp.algorithms.improving.table import Table, lower
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array

SHAKEN_ITEMS = 3


def are_shaken(capacity: int) -> bool:
    """Whether packs of so many items are shaken."""
    return capacity == SHAKEN_ITEMS


def most_steps(policy: Policy, num_packs: int, capacity: int) -> int:
    """How many steps come after swaps: as often as a policy says, each pack that is shaken meets each other one."""
    if capacity < SHAKEN_ITEMS:
        return 0
    return policy.shakes * num_packs if are_shaken(capacity) else policy.finish


def finished(lib: Standard, table: Table, total: Array, policy: Policy, left: Array) -> Table:
    """After at most so many further steps [rows, 1], given the load of all items."""
    capacity = table.item.shape[-1] // table.pack_load.shape[-1]
    if capacity < SHAKEN_ITEMS:
        return table
    step = shake if are_shaken(capacity) else exchange if capacity <= MOST_ITEMS else refine
    return lower(lib, table, step(lib, table, total, policy, left))
