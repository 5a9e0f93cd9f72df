"""Which pack each item goes to under a policy: starts -> packing -> parting -> refinement -> best start."""

from eplb_xp.algorithms.packing import pack
from eplb_xp.algorithms.parting import part
from eplb_xp.algorithms.refinement import refine
from eplb_xp.algorithms.starts import sort_keys
from eplb_xp.algorithms.swaps import Items, Packed, packed
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


def assign(lib: Standard, load: Array, num_packs: int, policy: Policy, expert: Array | None = None) -> Array:
    """Pack items by load; the result is a permutation of each row, as that of `pack`.

    Each start is a row of its own, so that all are packed at once. With ``expert`` [rows, items], the
    expert of each item, no pack gets two of one expert, of which there must be at most as many as packs.
    """
    xp = lib.xp
    rows, items = load.shape
    nothing_to_do = expert is None and not policy.searches
    if nothing_to_do or num_packs == 1 or items <= num_packs:
        return pack(lib, load, num_packs, key=load)
    starts = policy.starts
    by_row, by_start = (rows, starts, items), (rows * starts, items)
    key = xp.reshape(sort_keys(lib, load, policy), by_start)
    load = xp.reshape(xp.broadcast_to(load[:, None, :], by_row), by_start)
    if expert is not None:
        expert = xp.reshape(xp.broadcast_to(expert[:, None, :], by_row), by_start)

    packs = packed(lib, pack(lib, load, num_packs, key=key), load, num_packs)
    if expert is not None:
        packs = packed(lib, part(lib, packs, load, expert), load, num_packs)
    if policy.rounds > 0:
        packs = _lower(lib, packs, packed(lib, refine(lib, packs, Items(load, expert), policy), load, num_packs))

    busiest = xp.reshape(xp.max(packs.pack_load, axis=-1), (rows, starts))
    best = xp.broadcast_to(xp.argmin(busiest, axis=-1, keepdims=True)[:, :, None], (rows, 1, items))
    return xp.take_along_axis(xp.reshape(packs.item, by_row), best, axis=1)[:, 0, :]


def _lower(lib: Standard, before: Packed, after: Packed) -> Packed:
    """The one whose busiest pack is lower, as slot-ordered sums have it: swaps round in another order."""
    xp = lib.xp
    before_busiest = xp.max(before.pack_load, axis=-1, keepdims=True)
    worse = xp.max(after.pack_load, axis=-1, keepdims=True) > before_busiest
    return Packed(*(xp.where(worse, x, y) for x, y in zip(before, after, strict=True)))
