"""Slots inside a GPU are one as good as the other: an expert that stays on its GPU keeps its own."""

from eplb_xp.algorithms.moving.copies import copies, kept
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def keep_slots(lib: Standard, phy2log: Array, previous: Array, num_gpus: int) -> Array:
    """The plan with the slots of each GPU in another order: experts that were on it keep their slots.

    The others fill what is left in the order of their slots. Both plans are [layers, slots]; in the previous one -1 is
    a slot that held nothing.
    """
    xp = lib.xp
    layers, slots = phy2log.shape
    now, before = copies(lib, phy2log, num_gpus), copies(lib, previous, num_gpus)
    wants, offers = _numbered(lib, now, kept(lib, now, before)), _numbered(lib, before, kept(lib, before, now))
    expert = xp.permute_dims(xp.reshape(phy2log, (layers, num_gpus, slots // num_gpus)), (0, 2, 1))

    def fill(slot: int, filled: Array) -> Array:
        its, wanted = (x[:, slot, :][:, None, :] for x in (expert, wants))
        return xp.where(offers == wanted, its, filled)

    filled = lib.fori_loop(0, slots // num_gpus, fill, expert)
    return xp.reshape(xp.permute_dims(filled, (0, 2, 1)), (layers, slots))


def _numbered(lib: Standard, copy: Array, stays: Array) -> Array:
    """The copies, with -1, -2 and so on in place of those that do not stay."""
    xp = lib.xp
    leaves = xp.cumulative_sum(xp.astype(~stays, lib.index_dtype), axis=1, dtype=lib.index_dtype)
    return xp.where(stays, copy, -leaves)
