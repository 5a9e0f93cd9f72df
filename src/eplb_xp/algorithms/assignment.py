"""Which pack each item goes to under a policy: starts -> packing -> parting -> swaps -> finish -> best start."""

from eplb_xp.algorithms.improving.finishing import finished, most_steps
from eplb_xp.algorithms.improving.parting import part
from eplb_xp.algorithms.improving.refinement import refine
from eplb_xp.algorithms.improving.table import lower, slots, table
from eplb_xp.algorithms.packing.heaviest_first import pack
from eplb_xp.algorithms.packing.packed import Items, packed
from eplb_xp.algorithms.packing.starts import sort_keys
from eplb_xp.algorithms.rows import for_each, take_rows, tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


def assign(
    lib: Standard, load: Array, num_packs: int, policy: Policy, *, thorough: bool, expert: Array | None = None
) -> Array:
    """Pack items by load; the result is a permutation of each row, as that of `pack`.

    Each start is a row of its own, so that all are packed at once: as many as the policy has, or one and no
    finish if it need not be thorough.
    With ``expert`` [rows, items], the expert of each item, no pack gets two of one expert, of which
    there must be at most as many as packs.
    """
    xp = lib.xp
    rows, items = load.shape
    starts, finish = (policy.starts, most_steps(policy, num_packs, items // num_packs)) if thorough else (1, 0)
    nothing_to_do = expert is None and starts == 1 and policy.rounds + finish == 0
    if nothing_to_do or num_packs == 1 or items <= num_packs:
        return pack(lib, load, num_packs, key=load)
    # Without experts each item is one of its own.
    all_items = Items(load, lib.arange_like(load) if expert is None else expert)
    key = load
    if starts > 1:
        key = xp.reshape(sort_keys(lib, load, policy), (rows * starts, items))
        all_items = Items(*(for_each(lib, x, starts) for x in all_items))
    load = all_items.load

    now = table(lib, packed(lib, pack(lib, load, num_packs, key=key), load, num_packs), all_items)
    total = tree_sum(lib, load)[:, None]
    if expert is not None:
        now = part(lib, now)
    if policy.rounds > 0:
        now = lower(lib, now, refine(lib, now, total, policy, xp.full_like(now.item[:, :1], policy.rounds)))
    if finish > 0:
        now = finished(lib, now, total, policy, xp.full_like(now.item[:, :1], finish))

    busiest = xp.reshape(xp.max(now.pack_load, axis=-1), (rows, starts))
    best = lib.argmin(busiest)[:, 0] + lib.arange(rows, load) * starts
    return slots(lib, take_rows(lib, now, best))
