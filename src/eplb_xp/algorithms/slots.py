"""From slots to experts, whatever slots hold: an entry that is no expert's is an empty slot."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import for_each
from eplb_xp.algorithms.runs import Runs, run_sum, runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# Smaller floats some devices take for zero.
SMALLEST = 2.0**-126


class _Sums(NamedTuple):
    total: Array  # [rows, experts] of the first slots of each
    slots: Array  # [] that were added


def logical_maps(lib: Standard, phy2log: Array, *, num_experts: int, width: int) -> tuple[Array, Array]:
    """The first slots of each expert, then -1, and how many they are."""
    xp = lib.xp
    layers = phy2log.shape[0]
    runs = _by_expert(lib, phy2log, num_experts)
    rank = lib.arange_like(runs.order) - lib.take_along_axis(runs.first, runs.owner)
    nowhere = num_experts * width
    none = xp.broadcast_to(xp.full_like(rank[:, :1], -1), (layers, nowhere + 1))
    is_listed = (runs.owner < num_experts) & (rank < width)
    flat = lib.put_along_axis(none, xp.where(is_listed, runs.owner * width + rank, nowhere), runs.order)
    log2phy = xp.reshape(flat[:, :nowhere], (layers, num_experts, width))
    return log2phy, xp.clip(runs.length[:, :num_experts], None, width)


def expert_counts(lib: Standard, phy2log: Array, slot_load: Array, *, num_experts: int) -> tuple[Array]:
    """Integers of slots [layers, steps, replicas] summed for each expert: [layers, steps, experts]."""
    runs, ordered = _of_steps(lib, phy2log, lib.xp.astype(slot_load, lib.index_dtype), num_experts)
    total = run_sum(lib, runs, ordered)[:, :num_experts]
    return (lib.xp.reshape(total, (*slot_load.shape[:2], num_experts)),)


def expert_floats(lib: Standard, phy2log: Array, slot_load: Array, *, num_experts: int) -> tuple[Array]:
    """The same of floats, added slot after slot."""
    xp = lib.xp
    load = lib.float32(slot_load)
    load = xp.where(xp.abs(load) < SMALLEST, 0.0, load)
    runs, ordered = _of_steps(lib, phy2log, load, num_experts)
    last = ordered.shape[-1] - 1
    first, number = runs.first[:, :num_experts], runs.length[:, :num_experts]

    def unfinished(sums: _Sums) -> Array:
        return xp.any(sums.slots < number)

    def add(sums: _Sums) -> _Sums:
        total, slots = sums
        more = lib.take_along_axis(ordered, xp.clip(first + slots, None, last))
        return _Sums(xp.where(slots < number, total + more, total), slots + 1)

    nothing = xp.zeros_like(xp.astype(first, xp.float32))
    total = lib.while_loop(unfinished, add, _Sums(nothing, lib.arange(1, first)[0])).total
    return (xp.reshape(total, (*slot_load.shape[:2], num_experts)),)


def _by_expert(lib: Standard, phy2log: Array, experts: int) -> Runs:
    """The slots of each expert, and behind them those that are empty."""
    expert = lib.xp.astype(phy2log, lib.index_dtype)
    return runs_of(lib, lib.xp.where((expert >= 0) & (expert < experts), expert, experts), experts + 1)


def _of_steps(lib: Standard, phy2log: Array, slot_load: Array, experts: int) -> tuple[Runs, Array]:
    """The slots of each expert for each step of a layer, which is a row, and the loads of these slots."""
    layers, steps, slots = slot_load.shape
    runs = Runs(*(for_each(lib, x, steps) for x in _by_expert(lib, phy2log, experts)))
    return runs, lib.take_along_axis(lib.xp.reshape(slot_load, (layers * steps, slots)), runs.order)
