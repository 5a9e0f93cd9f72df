"""Which copy of which expert each slot holds: no GPU holds one twice, so what it holds is a set."""

from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def copies(lib: Standard, plan: Array, num_gpus: int) -> Array:
    """A number for each copy, negative where a slot holds nothing: [layers, slots] -> [layers, slots of a GPU, gpus].

    The first copies of an expert on two GPUs have the same number, so have the second ones, and no others.
    """
    xp = lib.xp
    layers, slots = plan.shape
    capacity = slots // num_gpus
    expert = xp.permute_dims(xp.reshape(plan, (layers, num_gpus, capacity)), (0, 2, 1))
    return expert * capacity + earlier(lib, expert)


def earlier(lib: Standard, expert: Array) -> Array:
    """How often the expert of each slot is in earlier ones of its GPU: [layers, slots of a GPU, gpus] each."""
    xp = lib.xp
    rank = lib.arange(expert.shape[1], expert)[None, :, None]

    def one_more(slot: int, before: Array) -> Array:
        again = (expert == expert[:, slot, :][:, None, :]) & (rank > slot)
        return before + xp.astype(again, lib.index_dtype)

    return lib.fori_loop(0, expert.shape[1] - 1, one_more, xp.zeros_like(expert))


def kept(lib: Standard, held: Array, previous: Array) -> Array:
    """Whether each copy was on its GPU before: copies of both plans, [layers, slots of a GPU, gpus]."""

    def also(slot: int, before: Array) -> Array:
        return before | (held == previous[:, slot, :][:, None, :])

    return lib.fori_loop(1, previous.shape[1], also, held == previous[:, :1, :])
