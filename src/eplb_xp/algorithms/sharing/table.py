"""The tokens of a batch, place by place."""

from typing import NamedTuple

from eplb_xp.algorithms.runs import of_owner
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
    first = lib.take_along_axis(of_owner(lib, prepared.first, prepared.expert), linked)
    turn = lib.put_along_axis(xp.zeros_like(prepared.expert), linked, lib.arange_like(linked) - first)
    holders = of_owner(lib, prepared.holders, prepared.expert)
    turn = xp.where(holders > 1, turn, 0)
    found = Table(of_owner(lib, tokens, prepared.expert), holders, turn)
    return Table(*(by_place(lib, x, num_gpus) for x in found))


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
