"""What of a previous plan can be kept, as `algorithms/following/cleaning.py` keeps it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST
from eplb_xp.backends.kernels.maps import by_expert


@triton.jit
def kept(previous, slot, there, its, S: tl.constexpr):
    """The expert in each slot, or none's number where nothing is kept; writes the node of each expert."""
    E: tl.constexpr = S.experts
    expert = tl.where((previous >= 0) & (previous < E) & there, previous, E).to(tl.int32)
    if S.nodes > 1:
        node = slot // (S.slots // S.nodes)
        _store_nodes(expert, node, there, its, S)
        is_one = expert < E
        own = tl.load(its + S.node_at + expert, mask=is_one, other=0)
        expert = tl.where(is_one & (own == node), expert, E)
    if S.is_capped:
        expert = _without_surplus(expert, slot, its, S)
    return expert


@triton.jit
def _store_nodes(expert, node, there, its, S: tl.constexpr):
    """Each group on the node that holds most of it, as far as there is room; most of all groups come first."""
    pair = tl.arange(0, S.pairs2)
    is_pair = pair < S.pairs
    of_group, of_node = pair // S.nodes, pair % S.nodes
    tl.store(its + S.pair_at + pair, 0, mask=is_pair)
    tl.debug_barrier()
    at = its + S.pair_at + expert // S.group_size * S.nodes + node
    tl.atomic_add(at, 1, mask=there & (expert < S.experts), sem="relaxed")
    tl.debug_barrier()
    held = tl.load(its + S.pair_at + pair, mask=is_pair, other=0)
    is_placed = pair < 0
    room = pair * 0 + S.groups // S.nodes
    for _ in range(S.groups):
        worth = tl.where(is_placed | (room <= 0), -1, held)
        most = tl.max(tl.where(is_pair, worth, -2), axis=0)
        best = tl.min(tl.where(is_pair & (worth == most), pair, HIGHEST), axis=0)
        is_placed = is_placed | (of_group == best // S.nodes)
        room -= (of_node == best % S.nodes).to(tl.int32)
        tl.store(its + S.group_at + best // S.nodes, best % S.nodes)
    tl.debug_barrier()
    e = tl.arange(0, S.experts2)
    its_node = tl.load(its + S.group_at + e // S.group_size, mask=e < S.experts, other=0)
    tl.store(its + S.node_at + e, its_node, mask=e < S.experts)
    tl.debug_barrier()


@triton.jit
def _without_surplus(expert, slot, its, S: tl.constexpr):
    """The experts without replicas beyond the most, in the order of slots."""
    E: tl.constexpr = S.experts
    own = its + S.begun_at
    e = tl.arange(0, S.experts2)
    is_one = expert < E
    tl.store(own + S.count_at + e, 0, mask=e < E)
    tl.debug_barrier()
    tl.atomic_add(own + S.count_at + expert, 1, mask=is_one, sem="relaxed")
    tl.store(own + S.held_at + slot, expert, mask=slot < S.slots)
    tl.debug_barrier()
    count = tl.load(own + S.count_at + e, mask=e < E, other=0)
    _, in_order, rank = by_expert(expert, slot, is_one, count, E, S.slots2)
    is_surplus = (slot < tl.sum(is_one.to(tl.int32), axis=0)) & (rank >= S.most)
    tl.store(own + S.held_at + in_order, E, mask=is_surplus)
    tl.debug_barrier()
    expert = tl.load(own + S.held_at + slot, mask=slot < S.slots, other=E)
    tl.debug_barrier()
    return expert
