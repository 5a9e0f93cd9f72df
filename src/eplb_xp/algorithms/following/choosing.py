"""The best of all steps, and the placing after it."""

from typing import NamedTuple

from eplb_xp.algorithms.following.samples import over_samples
from eplb_xp.algorithms.following.steps import NEVER, Steps, copying, rewriting, swapping
from eplb_xp.algorithms.following.system import Placing, Shape, System
from eplb_xp.algorithms.following.view import View
from eplb_xp.algorithms.hashing import hashed
from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# What a step must gain, as a share of the mean GPU load.
LEAST = 2.0**-20
# Steps that cost nothing go before all others.
FREE = 2.0**20
U_BITS = 11  # of the noise, so that scores are multiplied by what is exact


class Noise(NamedTuple):
    """Scores are multiplied by 1 + u, u in [0, 1) a hash of seed, round and step; the same for all rows."""

    seed: Array  # [1]
    weight: Array  # [1] of u: 1 for noise, 0 for none


class _Found(NamedTuple):
    """The best steps of a kind over ranks in the busiest GPU."""

    score: Array  # as the steps are; 0 where there is none
    rank: Array


class Step(NamedTuple):
    """One step of each row."""

    rank: Array  # [rows, 1] of our expert
    column: Array  # [rows, 1] the expert of a rewriting, then the place of a copy, then that of a swap
    score: Array  # [rows, 1] 0 where there is none


def best_step(
    lib: Standard, system: System, placing: Placing, now: View, noise: Noise, *, turn: Array, shape: Shape
) -> Step:
    """The step that gains most for its moves: of equal ones the first by kind, then expert or place, then our rank."""
    xp = lib.xp
    kinds = [swapping(lib, system, placing, now, shape=shape)]
    if shape.changes_counts:
        kinds = [rewriting(lib, system, placing, now, shape=shape), copying(lib, placing, now, shape=shape), *kinds]
    capacity = now.ours.expert.shape[-1]
    least = tree_sum(lib, over_samples(lib, system.load))[:, None, None] * LEAST
    left = xp.astype(system.budget - now.spent, xp.float32)[:, :, None]
    small = 2.0 ** -(system.load.shape[1] * system.load.shape[2]).bit_length()
    drawn = hashed(turn + noise.seed)
    first = [steps(0) for steps in kinds]
    factors = []
    for each in first:
        drawn = hashed(drawn + 1)
        factors.append(_factors(lib, drawn, (capacity, *each.gain.shape[1:]), noise.weight))

    def scores(steps: Steps, factor: Array) -> Array:
        gain, cost = steps
        gain = xp.where((gain * shape.num_gpus > least) & (cost < NEVER), gain, 0.0)
        if shape.is_free:
            return gain * factor
        for_each = gain * 0.5
        if shape.far_cost > 1:
            # So that gains are of a size that can be divided.
            gain = gain * small
            for_each = lib.divide(gain, xp.clip(cost, 1.0, 2.0 * shape.far_cost))
        for_each = xp.where(cost > 1.0, for_each, xp.where(cost < 1.0, FREE * gain, gain))
        return xp.where(cost <= left, for_each * factor, 0.0)

    def better(rank: int, before: tuple[_Found, ...]) -> tuple[_Found, ...]:
        found = []
        for steps, factor, best in zip(kinds, factors, before, strict=True):
            score = scores(steps(rank), factor[rank, :, :][None, :, :])
            is_better = score > best.score
            found.append(_Found(xp.where(is_better, score, best.score), xp.where(is_better, rank, best.rank)))
        return tuple(found)

    of_first = (scores(each, factor[:1, :, :]) for each, factor in zip(first, factors, strict=True))
    start = tuple(_Found(score, xp.zeros_like(score, dtype=lib.index_dtype)) for score in of_first)
    best = lib.fori_loop(1, capacity, better, start, unrolls=False)
    rows = placing.expert.shape[0]
    score, rank = (
        xp.concat([xp.reshape(x[i], (rows, x[i].shape[1] * x[i].shape[2])) for x in best], axis=-1) for i in (0, 1)
    )
    column = lib.argmin(-score)
    return Step(lib.take_along_axis(rank, column), column, lib.take_along_axis(score, column))


def _factors(lib: Standard, drawn: Array, shape: tuple[int, ...], weight: Array) -> Array:
    """What scores are multiplied by, the same for all rows: [a, b, c]."""
    xp = lib.xp
    each = lib.arange(shape[0], drawn)[:, None, None] * shape[1] + lib.arange(shape[1], drawn)[None, :, None]
    each = each * shape[2] + lib.arange(shape[2], drawn)[None, None, :]
    u = hashed(drawn[:, None, None] + each) >> (31 - U_BITS)
    return 1.0 + xp.astype(u * weight[:, None, None], xp.float32) * 2.0**-U_BITS


def taken(lib: Standard, placing: Placing, now: View, step: Step, wanted: Array, *, shape: Shape) -> Placing:
    """The placing after a step, in the rows where that is wanted."""
    xp = lib.xp
    expert, count, spare = placing
    experts, places = count.shape[-1], expert.shape[-1]
    our_place, goes = (lib.take_along_axis(x, step.rank) for x in (now.ours.place, now.ours.expert))
    there, comes, swaps = step.column, goes, wanted
    if shape.changes_counts:
        rewrites = step.column < experts
        there = xp.where(rewrites, our_place, (step.column - experts) % places)
        comes = xp.where(rewrites, step.column, goes)
        swaps = wanted & (step.column >= experts + places)
    leaves = lib.take_along_axis(expert, there)
    place = lib.arange_like(expert)
    expert = xp.where(wanted & (place == there), comes, expert)
    expert = xp.where(swaps & (place == our_place), leaves, expert)
    if shape.changes_counts:
        changes = wanted & ~swaps
        each = lib.arange_like(count)
        more, fewer = (xp.astype(changes & (each == x), lib.index_dtype) for x in (comes, leaves))
        count = count + more - fewer
        one = lib.argmin(xp.astype(spare != leaves, lib.index_dtype))
        spare = xp.where(changes & (lib.arange_like(spare) == one), comes, spare)
    return Placing(expert, count, spare)
