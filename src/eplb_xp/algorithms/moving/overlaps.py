"""How much GPUs of two plans have in common."""

from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def overlaps(lib: Standard, now: Array, before: Array) -> Array:
    """How many copies each GPU of the first plan has in common with each of the second: [layers, gpus, gpus].

    Of both plans the copies, [layers, slots of a GPU, gpus].
    """
    xp = lib.xp
    before = before[:, :, None, :]

    def add(slot: int, common: Array) -> Array:
        return common + xp.astype(xp.any(before == now[:, slot, :][:, None, :, None], axis=1), lib.index_dtype)

    start = xp.any(before == now[:, :1, :, None], axis=1)
    return lib.fori_loop(1, now.shape[1], add, xp.astype(start, lib.index_dtype))
