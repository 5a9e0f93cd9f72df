"""What each slot may take its weights from: copies of its expert, of which the nearest stand in a row."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import inverse
from eplb_xp.algorithms.runs import runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# More than any cost.
MOST = 2**31 - 1


class Copies(NamedTuple):
    """The slots of the previous plan, those of an expert in a row, and of each slot of the new one a stretch of them.

    A copy is a place in that order. The stretch is empty where nobody holds the expert.
    """

    slot: Array  # [layers, replicas] of each copy
    gpu: Array  # [layers, replicas] of each copy
    begin: Array  # [layers, replicas] of each slot's stretch
    end: Array  # [layers, replicas] behind it
    gpus: Array  # [layers, replicas] how many hold a copy that is in it


def nearest(lib: Standard, previous: Array, phy2log: Array, num_gpus: int, num_nodes: int) -> Copies:
    """The copies that no other is nearer than; empty slots hold the number of replicas."""
    xp = lib.xp
    layers, slots = phy2log.shape
    runs = runs_of(lib, previous, slots + 1)
    begin = lib.take_along_axis(runs.first, phy2log)
    end = begin + lib.take_along_axis(runs.length, phy2log)
    its_slot = lib.arange_like(phy2log)
    first = [its_slot - its_slot % size for size in (slots // num_nodes, slots // num_gpus)]
    wanted = [first[0], first[0] + slots // num_nodes, first[1], first[1] + slots // num_gpus]
    # In one search, which is less to compile than four.
    begins, ends, edges = (xp.concat(each, axis=-1) for each in ([begin] * 4, [end] * 4, wanted))
    edge = xp.reshape(_first_from(lib, runs.order, begins, ends, edges), (layers, 4, slots))
    for near_begin, near_end in ((edge[:, 0, :], edge[:, 1, :]), (edge[:, 2, :], edge[:, 3, :])):
        is_near = near_end > near_begin
        begin, end = xp.where(is_near, near_begin, begin), xp.where(is_near, near_end, end)
    own = inverse(lib, runs.order)
    begin, end = (xp.where(previous == phy2log, own + more, x) for more, x in enumerate((begin, end)))
    gpu = runs.order // (slots // num_gpus)
    return Copies(runs.order, gpu, begin, end, _number_of_gpus(lib, gpu, begin, end))


def within(lib: Standard, condition: Array, copies: Copies) -> Array:
    """How many copies of each slot's stretch a condition holds for: [layers, replicas]."""
    return _within(lib, condition, copies.begin, copies.end)


def cheapest(lib: Standard, copies: Copies, slot: Array, cost: Array) -> Array:
    """The first of the copies of least cost in the stretch of one slot of each layer [layers, 1]: [layers, 1]."""
    copy = lib.arange_like(cost)
    begin, end = (lib.take_along_axis(x, slot) for x in (copies.begin, copies.end))
    return lib.argmin(lib.xp.where((copy >= begin) & (copy < end), cost, MOST))


def _within(lib: Standard, condition: Array, begin: Array, end: Array) -> Array:
    before = lib.xp.cumulative_sum(lib.xp.astype(condition, lib.index_dtype), axis=-1, dtype=lib.index_dtype)
    before = lib.xp.concat([lib.xp.zeros_like(before[:, :1]), before], axis=-1)
    return lib.take_along_axis(before, end) - lib.take_along_axis(before, begin)


def _first_from(lib: Standard, slot: Array, begin: Array, end: Array, wanted: Array) -> Array:
    """The first copy of each stretch that is in a wanted slot or behind it."""
    xp = lib.xp
    found = begin
    for bit in reversed(range(slot.shape[-1].bit_length())):
        further = found + 2**bit
        before = lib.take_along_axis(slot, xp.where(further <= end, further, 1) - 1)
        found = xp.where((further <= end) & (before < wanted), further, found)
    return found


def _number_of_gpus(lib: Standard, gpu: Array, begin: Array, end: Array) -> Array:
    """GPUs that hold copies of each stretch: that of the first one, and one wherever the next copy is on another."""
    xp = lib.xp
    differs = xp.concat([gpu[:, :1] < 0, gpu[:, 1:] != gpu[:, :-1]], axis=-1)
    others = _within(lib, differs, xp.minimum(begin + 1, end), end)
    return others + xp.astype(begin < end, lib.index_dtype)
