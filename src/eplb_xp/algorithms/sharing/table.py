"""The tokens of a batch, place by place."""

from typing import NamedTuple

from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array, Prepared


class Table(NamedTuple):
    """What is in each place: [layers, slots of a GPU, gpus]."""

    tokens: Array  # of the expert that is there
    holders: Array  # of that expert, or 0 where the place is nobody's
    turn: Array  # which of its holders it is


def table(lib: Standard, prepared: Prepared[Array], tokens: Array, num_gpus: int) -> Table:
    """Given tokens of each expert: [layers, experts]."""
    xp = lib.xp
    linked = prepared.place
    first = lib.take_along_axis(of_place(lib, prepared, prepared.first, 0), linked)
    turn = lib.put_along_axis(xp.zeros_like(prepared.expert), linked, lib.arange_like(linked) - first)
    holders = of_place(lib, prepared, prepared.holders, 0)
    turn = xp.where(holders > 1, turn, 0)
    found = Table(of_place(lib, prepared, tokens, 0), holders, turn)
    return Table(*(by_place(lib, x, num_gpus) for x in found))


def of_place(lib: Standard, prepared: Prepared[Array], of_expert: Array, of_nobody: int) -> Array:
    """For each place what its expert has [layers, experts]: [layers, slots]."""
    nobodys = lib.xp.full_like(of_expert[:, :1], of_nobody)
    return lib.take_along_axis(lib.xp.concat([of_expert, nobodys], axis=-1), prepared.expert)


def by_place(lib: Standard, values: Array, num_gpus: int) -> Array:
    """Values of places [layers, slots] as a table: [layers, slots of a GPU, gpus]."""
    layers, slots = values.shape
    return lib.xp.reshape(values, (layers, slots // num_gpus, num_gpus))


def by_slot(lib: Standard, values: Array) -> Array:
    """A table [layers, slots of a GPU, gpus] slot by slot: [layers, slots]."""
    layers, capacity, num_gpus = values.shape
    return lib.xp.reshape(lib.xp.permute_dims(values, (0, 2, 1)), (layers, num_gpus * capacity))


def on_gpus(lib: Standard, values: Array) -> Array:
    """The sums of the columns of a table of integers: [layers, gpus]."""
    return lib.xp.sum(values, axis=1, dtype=lib.index_dtype)
