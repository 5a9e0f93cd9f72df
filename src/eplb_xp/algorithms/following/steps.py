"""Steps that take load from the busiest GPU: what each gains, and how many moves it costs.

A gain is by how much the sum of what GPUs have above the target falls. A GPU that holds both of a step's experts is
counted as if their changes were separate, so whether the sum fell has to be looked at afterwards. The cost of a change
is what a move there counts if the expert that comes was not on that GPU before, less that of the one that leaves if it
was not; infinite for what may not be.
"""

from collections.abc import Callable
from typing import NamedTuple

from eplb_xp.algorithms.following.prices import price_on
from eplb_xp.algorithms.following.samples import over_samples
from eplb_xp.algorithms.following.system import Placing, Shape, System, by_gpu, of_experts
from eplb_xp.algorithms.following.view import View, above
from eplb_xp.algorithms.improving.sides import holds
from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

NEVER = float("inf")


class Steps(NamedTuple):
    """Steps of one kind for one expert of the busiest GPU, by expert [rows, 1, experts] or [rows, capacity, gpus]."""

    gain: Array
    cost: Array


# The steps of one kind for the expert of each rank in the busiest GPU.
ByRank = Callable[[int], Steps]


def rewriting(lib: Standard, system: System, placing: Placing, now: View, *, shape: Shape) -> ByRank:
    """A slot of the busiest GPU is given to another expert, its own having replicas elsewhere: a step an expert."""
    xp = lib.xp
    ours = now.ours
    each = lib.arange_like(placing.count)[:, None, :]
    was_there = holds(lib, each, lib.take_along_axis(system.before, ours.place)[:, :, None])[:, 0, :]
    price = price_on(lib, system.price, each, ours.gpu[:, :, None], shape=shape)
    may_come = ~holds(lib, each, ours.expert[:, :, None])[:, 0, :] & (placing.count < shape.most)
    if shape.num_nodes > 1:
        may_come = may_come & (system.node == ours.gpu // shape.gpus_of_node)
    comes = xp.where(may_come, _cost(lib, ~was_there[:, None, :], price)[:, 0, :], NEVER)
    has_others = lib.take_along_axis(placing.count, ours.expert) > 1
    leaves = xp.where(has_others, -_ours_back(lib, now, shape), NEVER)

    elsewhere = ours.there & (lib.arange(shape.num_gpus, ours.gpu)[None, None, :] != ours.gpu[:, :, None])
    gain = ours.over - _paid(lib, now, ours.more, elsewhere)
    left = ours.excess - ours.share + xp.where(ours.doubled[:, None, :], ours.more, 0.0)

    def steps(rank: int) -> Steps:
        after = above(lib, left[:, :, rank][:, :, None] + now.loads.less)
        gained = gain[:, rank][:, None] - over_samples(lib, after)
        cost = comes + leaves[:, rank][:, None]
        return Steps(gained[:, None, :], cost[:, None, :])

    return steps


def copying(lib: Standard, placing: Placing, now: View, *, shape: Shape) -> ByRank:
    """An expert of the busiest GPU gets one replica more, in place of one that has others: a step a place."""
    xp = lib.xp
    ours, loads = now.ours, now.loads
    its_more = xp.reshape(of_experts(lib, loads.more, placing.expert), loads.of_place.shape)
    excess = now.excess[:, :, None, :]
    left = excess - loads.of_place + xp.where(now.doubled[:, None, :, :], its_more, 0.0)
    # What all its holders pay, but not what this GPU would, which the replica leaves.
    own = over_samples(lib, above(lib, excess + its_more))
    paid = by_gpu(lib, lib.take_along_axis(_paid_by_all(lib, placing, now), placing.expert), shape.num_gpus) - own
    relief = _relief(lib, now)
    has_others = by_gpu(lib, lib.take_along_axis(placing.count, placing.expert) > 1, shape.num_gpus)
    leaves = xp.where(has_others, -_cost(lib, now.beyond, now.price), NEVER)
    may_come = ~ours.there & (lib.take_along_axis(placing.count, ours.expert) < shape.most)[:, :, None]
    comes = xp.where(may_come & _near(lib, now, shape), _cost(lib, ~ours.was_there, ours.price), NEVER)

    def steps(rank: int) -> Steps:
        after = above(lib, left + ours.less[:, :, rank][:, :, None, None])
        gain = relief[:, rank][:, None, None] - paid - over_samples(lib, after)
        return Steps(gain, comes[:, rank, :][:, None, :] + leaves)

    return steps


def swapping(lib: Standard, system: System, placing: Placing, now: View, *, shape: Shape) -> ByRank:
    """An expert of the busiest GPU and one of another swap places: a step a place."""
    xp = lib.xp
    ours, loads = now.ours, now.loads
    here = holds(lib, now.expert, ours.expert[:, :, None])
    was_here = holds(lib, now.expert, lib.take_along_axis(system.before, ours.place)[:, :, None])
    may_come, may_go = ~here, ~ours.there & _near(lib, now, shape)
    if shape.keeps_links:
        may_come = may_come & by_gpu(lib, lib.take_along_axis(placing.count, placing.expert) == 1, shape.num_gpus)
        may_go = may_go & (lib.take_along_axis(placing.count, ours.expert) == 1)[:, :, None]
    comes = xp.where(may_come, _cost(lib, ~was_here, now.price_here) - _cost(lib, now.beyond, now.price), NEVER)
    back = _ours_back(lib, now, shape)[:, :, None]
    goes = xp.where(may_go, _cost(lib, ~ours.was_there, ours.price) - back, NEVER)
    both = (ours.over + now.over)[:, None, :]

    def steps(rank: int) -> Steps:
        less = ours.share[:, :, rank][:, :, None, None] - loads.of_place
        after = above(lib, ours.excess[:, :, :, None] - less) + above(lib, now.excess[:, :, None, :] + less)
        return Steps(both - over_samples(lib, after), comes + goes[:, rank, :][:, None, :])

    return steps


def _cost(lib: Standard, counts: Array, price: Array | float) -> Array:
    """The price of what counts; of the rest nothing."""
    return lib.xp.astype(counts, lib.xp.float32) * price


def _ours_back(lib: Standard, now: View, shape: Shape) -> Array:
    """What is got back of the budget where one of our experts leaves: [rows, capacity]."""
    ours = now.ours
    back = lib.xp.astype(ours.beyond, lib.xp.float32)
    if shape.far_cost > 1:
        here = lib.arange(shape.num_gpus, ours.gpu)[None, None, :] == ours.gpu[:, :, None]
        back = back * lib.xp.max(lib.xp.where(here, ours.price, 0.0), axis=-1)
    return back


def _near(lib: Standard, now: View, shape: Shape) -> Array:
    """Which GPUs are in the node of the busiest: [rows, 1, gpus]."""
    node = lib.arange(shape.num_gpus, now.ours.gpu) // shape.gpus_of_node
    return (node[None, :] == now.ours.gpu // shape.gpus_of_node)[:, None, :]


def _relief(lib: Standard, now: View) -> Array:
    """What holders of each of our experts have less above the target once it has one replica more: [rows, capacity]."""
    ours, excess = now.ours, now.excess[:, :, None, :]
    after = above(lib, excess - (ours.share - ours.less)[:, :, :, None])
    return over_samples(lib, tree_sum(lib, lib.xp.where(ours.there[:, None, :, :], above(lib, excess) - after, 0.0)))


def _paid(lib: Standard, now: View, more: Array, there: Array) -> Array:
    """What GPUs have more above the target where each gets so much on top: [rows, samples, items] -> [rows, items].

    Those of an item are where it is ``there`` [rows, items, gpus].
    """
    excess = now.excess[:, :, None, :]
    after = above(lib, excess + more[:, :, :, None])
    return over_samples(lib, tree_sum(lib, lib.xp.where(there[:, None, :, :], after - above(lib, excess), 0.0)))


def _paid_by_all(lib: Standard, placing: Placing, now: View) -> Array:
    """What holders of each expert have more above the target once it has one replica fewer: [rows, experts].

    Of experts of one replica it says nothing.
    """
    there = holds(lib, placing.spare[:, :, None], now.expert)
    paid = _paid(lib, now, of_experts(lib, now.loads.more, placing.spare), there)
    none = lib.xp.zeros_like(placing.count, dtype=lib.xp.float32)
    return lib.put_along_axis(none, placing.spare, paid)
