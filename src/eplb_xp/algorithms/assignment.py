"""Which pack each item goes to under a policy: starts -> packing -> parting -> refinement -> best start."""

from eplb_xp.algorithms.packing import pack
from eplb_xp.algorithms.parting import part
from eplb_xp.algorithms.refinement import refine
from eplb_xp.algorithms.starts import sort_keys
from eplb_xp.algorithms.swaps import Items, Packed, packed
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


def assign(
    lib: Standard, load: Array, num_packs: int, policy: Policy, *, starts: int, expert: Array | None = None
) -> Array:
    """Pack items by load; the result is a permutation of each row, as that of `pack`.

    Each start is a row of its own, so that all are packed at once: one, or as many as the policy has.
    With ``expert`` [rows, items], the expert of each item, no pack gets two of one expert, of which
    there must be at most as many as packs.
    """
    xp = lib.xp
    rows, items = load.shape
    nothing_to_do = expert is None and starts == 1 and policy.rounds == 0
    if nothing_to_do or num_packs == 1 or items <= num_packs:
        return pack(lib, load, num_packs, key=load)
    # Without experts each item is one of its own.
    all_items = Items(load, lib.arange_like(load) if expert is None else expert)
    key = load
    if starts > 1:
        key = xp.reshape(sort_keys(lib, load, policy), (rows * starts, items))
        all_items = Items(*(_for_each_start(lib, x, starts) for x in all_items))
    load = all_items.load

    packs = packed(lib, pack(lib, load, num_packs, key=key), load, num_packs)
    if expert is not None:
        packs = packed(lib, part(lib, packs, all_items), load, num_packs)
    if policy.rounds > 0:
        packs = _lower(lib, packs, packed(lib, refine(lib, packs, all_items, policy), load, num_packs))

    busiest = xp.reshape(xp.max(packs.pack_load, axis=-1), (rows, starts))
    best = lib.argmin(busiest)[:, 0] + lib.arange(rows, load) * starts
    return xp.take(packs.item, best, axis=0)


def _for_each_start(lib: Standard, x: Array, starts: int) -> Array:
    """Each row once for each start: [rows * starts, items]."""
    xp = lib.xp
    rows, items = x.shape
    return xp.reshape(xp.broadcast_to(x[:, None, :], (rows, starts, items)), (rows * starts, items))


def _lower(lib: Standard, before: Packed, after: Packed) -> Packed:
    """The one whose busiest pack is lower, as slot-ordered sums have it: swaps round in another order."""
    xp = lib.xp
    before_busiest = xp.max(before.pack_load, axis=-1, keepdims=True)
    worse = xp.max(after.pack_load, axis=-1, keepdims=True) > before_busiest
    return Packed(*(xp.where(worse, x, y) for x, y in zip(before, after, strict=True)))
