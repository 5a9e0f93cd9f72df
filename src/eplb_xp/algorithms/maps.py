"""From the replica in each slot to the slots of each expert."""

from eplb_xp.algorithms.runs import runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan


def looked_up(lib: Standard, phy2log: Array, experts: int) -> Array:
    """The plan; where it could not be read, an expert that isn't there must not be looked up."""
    return lib.xp.clip(lib.xp.astype(phy2log, lib.index_dtype), 0, experts - 1)


def expert_to_slots(lib: Standard, phy2log: Array, rank: Array, logcnt: Array, width: int) -> Array:
    """The slots of each expert by replica rank, then -1: [layers, experts, width]."""
    xp = lib.xp
    layers, experts = logcnt.shape
    none = xp.broadcast_to(xp.full_like(logcnt[:, :1], -1), (layers, experts * width))
    flat = lib.put_along_axis(none, phy2log * width + rank, lib.arange_like(phy2log))
    return xp.reshape(flat, (layers, experts, width))


def rank_by_slot(lib: Standard, phy2log: Array, logcnt: Array) -> Array:
    """Which replica of its expert each slot holds, numbered in the order of slots: [layers, replicas]."""
    xp = lib.xp
    expert, order = lib.sort_rows(xp.astype(phy2log, xp.float32), lib.arange_like(phy2log))
    first = xp.cumulative_sum(logcnt, axis=-1, dtype=lib.index_dtype) - logcnt
    rank = lib.arange_like(order) - lib.take_along_axis(first, xp.astype(expert, lib.index_dtype))
    return lib.put_along_axis(rank, order, rank)


def plan_of(lib: Standard, phy2log: Array, experts: int, sizes: Sizes) -> Plan[Array]:
    """The plan of these slots, those of an expert ascending."""
    count = runs_of(lib, phy2log, experts).length
    rank = rank_by_slot(lib, phy2log, count)
    return Plan(phy2log, expert_to_slots(lib, phy2log, rank, count, sizes.width(experts)), count)
