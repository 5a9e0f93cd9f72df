"""Empty slots are filled, as `algorithms/following/filling.py` fills them: one after the other, which is rare.

Slots hold an expert or none's number. Their loads are written down in the placing where the search begins.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of, float_of
from eplb_xp.backends.kernels.following.system import gpu_loads
from eplb_xp.backends.kernels.improving.table import entry_of


@triton.jit
def first_least(x, index, there):
    """The index of the first smallest of some floats that are not negative, or of all where none is there."""
    bits = tl.where(there, bits_of(x), HIGHEST)
    return tl.min(tl.where(bits == tl.min(bits, axis=0), index, HIGHEST), axis=0)


@triton.jit
def first_most(x, index, there):
    """The index of the first largest of some floats that are not negative."""
    bits = tl.where(there, bits_of(x), -1)
    return tl.min(tl.where(bits == tl.max(bits, axis=0), index, HIGHEST), axis=0)


@triton.jit
def _loads(expert, load, its, S: tl.constexpr):
    """Replicas and share of each expert, and the load of each slot's GPU."""
    own = its + S.begun_at
    e, slot, gpu = tl.arange(0, S.experts2), tl.arange(0, S.slots2), tl.arange(0, S.gpus2)
    real = slot < S.slots
    count = tl.load(own + S.count_at + e, mask=e < S.experts, other=0)
    share = tl.div_rn(load, tl.maximum(count, 1).to(tl.float32))
    tl.store(own + S.share_at + e, bits_of(share), mask=e < S.experts)
    tl.debug_barrier()
    held = tl.load(own + S.share_at + expert, mask=expert < S.experts, other=0)
    tl.store(own + S.held_at + slot % S.capacity * S.gpus + slot // S.capacity, held, mask=real)
    tl.debug_barrier()
    tl.store(its + S.gpu_load_at + gpu, bits_of(gpu_loads(own + S.held_at, S)), mask=gpu < S.gpus)
    tl.debug_barrier()
    gpu_load = float_of(tl.load(its + S.gpu_load_at + slot // S.capacity, mask=real, other=0))
    return count, share, float_of(held), gpu_load


@triton.jit
def with_missing(expert, load, its, S: tl.constexpr):
    """The slots with the experts that were nowhere; the counts, which are written down, change with them."""
    E: tl.constexpr = S.experts
    own = its + S.begun_at
    e, slot = tl.arange(0, S.experts2), tl.arange(0, S.slots2)
    count = tl.load(own + S.count_at + e, mask=e < E, other=1)
    missing = tl.sum((count == 0).to(tl.int32), axis=0)
    while missing > 0:
        count, _, held, gpu_load = _loads(expert, load, its, S)
        which = first_most(load, e, (count == 0) & (e < E))
        near = slot < S.slots
        if S.nodes > 1:
            near = near & (slot // S.capacity // S.gpus_of_node == tl.load(its + S.node_at + which))
        empty = near & (expert == E)
        spare = tl.load(own + S.count_at + expert, mask=near & (expert < E), other=0) > 1
        has_empty = tl.sum(empty.to(tl.int32), axis=0) > 0
        to = first_least(tl.where(has_empty, gpu_load, held), slot, tl.where(has_empty, empty, spare))
        leaves = entry_of(expert, slot, to)
        others = tl.load(own + S.count_at + leaves, mask=leaves < E, other=0) - 1
        tl.debug_barrier()
        tl.store(own + S.count_at + leaves, others, mask=leaves < E)
        tl.store(own + S.count_at + which, 1)
        tl.debug_barrier()
        expert = tl.where(slot == to, which, expert)
        missing -= 1
    return expert


@triton.jit
def filled(expert, load, budget, its, S: tl.constexpr):
    """All slots filled, what counts as having been there, or none's number, and what of the budget was spent."""
    E: tl.constexpr = S.experts
    own = its + S.begun_at
    e, slot = tl.arange(0, S.experts2), tl.arange(0, S.slots2)
    before = expert
    spent = budget * 0
    empty = tl.sum(((slot < S.slots) & (expert == E)).to(tl.int32), axis=0)
    while empty > 0:
        count, share, _, gpu_load = _loads(expert, load, its, S)
        to = first_least(gpu_load, slot, (slot < S.slots) & (expert == E))
        gpu = to // S.capacity
        may = (e < E) & (count < S.most)
        if S.nodes > 1:
            node = tl.load(its + S.node_at + e, mask=e < E, other=0)
            may = may & (node == gpu // S.gpus_of_node)
        there = e < 0
        for rank in range(S.capacity):
            there = there | (e == entry_of(expert, slot, gpu * S.capacity + rank))
        others = tl.sum((may & ~there).to(tl.int32), axis=0)
        adds = (others > 0) & ((spent + 1 <= budget) | (others == tl.sum(may.to(tl.int32), axis=0)))
        comes = tl.where(adds, first_most(share, e, may & ~there), first_least(share, e, may & there))
        number = tl.load(own + S.count_at + comes) + 1
        tl.debug_barrier()
        tl.store(own + S.count_at + comes, number)
        tl.debug_barrier()
        expert = tl.where(slot == to, comes, expert)
        before = tl.where((slot == to) & ~adds, comes, before)
        spent += adds.to(tl.int32)
        empty -= 1
    return expert, before, spent
