"""A placement made for shares, as `algorithms/rings/placing.py` makes it: to the slots, and then the levelling."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.improving.parting import part
from eplb_xp.backends.kernels.improving.table import busiest, read_table, slot_sums, store_table, store_tags
from eplb_xp.backends.kernels.rings.levelling import levelled
from eplb_xp.backends.kernels.rings.seating import store_seated
from eplb_xp.backends.kernels.rows import tree_total


@triton.jit
def store_on_ring(own, S: tl.constexpr):
    """Write a slot for each replica, and what a swap of seats must bring."""
    e = tl.arange(0, S.node_experts2)
    load = float_of(tl.load(own + S.load_at + e, mask=e < S.node_experts, other=0))
    tl.store(own + S.gain_at, bits_of(tree_total(load, S.node_experts, S.expert_levels) * S.threshold))
    store_seated(own, S)


@triton.jit
def improve_on_ring(own, S: tl.constexpr):
    """Part replicas that share a GPU, and let experts change seats."""
    rank = tl.arange(0, S.capacity2)[:, None]
    if S.parts_doubles:
        load, tag = read_table(own, S)
        load, tag = part(load, tag, slot_sums(load, rank, S.capacity), S.gpus, S.capacity)
        tl.debug_barrier()
        store_table(load, tag, own, S)
        tl.debug_barrier()
    load, expert = levelled(own, S)
    tl.debug_barrier()
    store_tags(expert, own, S)
    tl.store(own + S.busiest_at, busiest(slot_sums(load, rank, S.capacity)))
    tl.store(own + S.busiest_at + 1, 0)
