"""A path, as `algorithms/following/path.py` walks it: one program for each path of each layer.

All that a program writes down it reads again itself, or a later kernel does.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of, float_of
from eplb_xp.backends.kernels.following.choosing import LEAST, first_key, most, taken
from eplb_xp.backends.kernels.following.steps import changed, copying, rewriting, store_paid, swapping
from eplb_xp.backends.kernels.following.system import gpu_loads
from eplb_xp.backends.kernels.following.turns import lowest_of, target
from eplb_xp.backends.kernels.following.view import all_over, factors_from, store_ours
from eplb_xp.backends.kernels.hashing import hashed
from eplb_xp.backends.kernels.rows import position


@triton.jit
def walk(layers_at, wide_at, paths_at, S: tl.constexpr):
    """Write the best placing on a path, if it is better than all before; wide paths are those before narrow ones."""
    P: tl.constexpr = S.gpus
    layer = (tl.program_id(0) // S.paths).to(tl.int64)
    path = tl.program_id(0) % S.paths
    its = layers_at + layer * S.layer_words
    own = paths_at + tl.program_id(0).to(tl.int64) * S.path_words
    lowest = float_of(tl.load(its + S.lowest_at))
    least = float_of(tl.load(its + S.total_at)) * LEAST
    best = tl.load(its + S.first_at)
    left = tl.load(its + S.left_at)
    if S.is_narrow:
        reached, _ = lowest_of(wide_at + layer * (S.wide * S.path_words), S.wide, S)
        best = tl.minimum(best, reached)
    limit = target(path, lowest, float_of(best), S)
    _begin(its, own, S)

    h = tl.arange(0, S.gpus2)
    leaf = position(tl.minimum(h, P - 1), P, S.gpu_levels)
    goes_on = path >= 0
    last = lowest * 0 + float("inf")
    turn = path * 0
    one, other = turn - 1, turn - 2
    while goes_on:
        loads = gpu_loads(own + S.held_at, S)
        busiest = tl.max(bits_of(loads), axis=0)
        if busiest < best:
            best = busiest
            for rank in range(S.capacity):
                tag = tl.load(own + S.tag_at + rank * P + h, mask=h < P, other=0)
                tl.store(own + S.best_at + rank * P + h, tag, mask=h < P)
        excess = tl.where(h < P, loads - limit, -float("inf"))
        over = tl.maximum(excess, 0.0)
        tl.store(own + S.excess_at + leaf, bits_of(excess), mask=h < P)
        above = all_over(over, S)
        highest = tl.max(bits_of(over), axis=0)
        goes_on = (above < last) & (highest > 0)
        last = above
        if goes_on:
            gpu = tl.min(tl.where(bits_of(over) == highest, h, HIGHEST), axis=0)
            ours = float_of(highest)
            several = store_ours(gpu, ours, leaf, own, its, S)
            back, free = factors_from(left * 0 - 2, left), factors_from(left * 0 - 1, left)
            dear = factors_from(left * 0, left)
            drawn = hashed(hashed(turn + path + S.first_path) + 1)
            # Where counts stay there are swaps alone.
            drawn_copies, listed, listed_tag = 0, 0, 0
            score_r, at_r, score_c, at_c = 0.0, 0, 0.0, 0
            tl.debug_barrier()
            if S.changes_counts:
                if S.picks:
                    earlier = tl.load(own + S.earlier_at + h, mask=h < P, other=0)
                    is_new = (h < P) & ((turn == 0) | (bits_of(excess) != earlier))
                    number = changed(is_new, leaf, one, other, own, S)
                    tl.debug_barrier()
                    tl.store(own + S.earlier_at + h, bits_of(excess), mask=h < P)
                    store_paid(own + S.todo_at, number, own, S)
                else:
                    store_paid(own + S.spare_at, S.spares, own, S)
                score_r, at_r = rewriting(gpu, ours, several, free, dear, least, drawn, own, its, S)
                drawn_copies = hashed(drawn + 1)
                drawn = hashed(drawn_copies + 1)
            place_a, score_a, at_a, place_b, score_b, at_b = swapping(
                gpu, ours, excess, over, back, free, dear, least, drawn, own, its, S
            )
            top = tl.maximum(most(score_a), most(score_b))
            if S.changes_counts:
                tl.debug_barrier()
                listed, listed_tag, score_c, at_c = copying(free, dear, least, drawn_copies, own, S)
                top = tl.maximum(top, tl.maximum(most(score_r), most(score_c)))
            goes_on = top > 0
            if goes_on:
                FIRST: tl.constexpr = S.experts + S.slots if S.changes_counts else 0
                key = tl.minimum(
                    first_key(score_a, at_a, FIRST + place_a, top), first_key(score_b, at_b, FIRST + place_b, top)
                )
                if S.changes_counts:
                    key = tl.minimum(key, first_key(score_c, at_c, S.experts + listed, top))
                    key = tl.minimum(key, first_key(score_r, at_r, tl.arange(0, S.experts2), top))
                left, one, other = taken(key, gpu, listed, listed_tag, left, own, its, S)
                turn += 1
                tl.debug_barrier()
    tl.store(own + S.high_at, best)


@triton.jit
def _begin(its, own, S: tl.constexpr):
    """The placing where a search begins becomes the path's own."""
    BLOCK: tl.constexpr = 1024
    for begin in range(0, S.placing_words, BLOCK):
        i = begin + tl.arange(0, BLOCK)
        there = i < S.placing_words
        tl.store(own + i, tl.load(its + S.begun_at + i, mask=there, other=0), mask=there)
    # Where no GPU is, nothing is above.
    tl.store(own + S.excess_at + tl.arange(0, S.gpus2), 0)
    tl.debug_barrier()
