"""Plans that follow a previous one.

previous plan -> what of it can be kept -> no slot empty -> paths of few steps -> the best, experts in their old slots
"""

from eplb_xp.algorithms.following.beginning import Beginning, beginning, placing_of, shape_of
from eplb_xp.algorithms.following.path import judged
from eplb_xp.algorithms.following.prices import spent_on
from eplb_xp.algorithms.following.system import Shape, loads_of
from eplb_xp.algorithms.following.turns import FOLLOWING, searched
from eplb_xp.algorithms.maps import plan_of
from eplb_xp.algorithms.moving.keeping import keep_slots
from eplb_xp.algorithms.moving.relabelling import relabelled
from eplb_xp.algorithms.rows import transposed
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan

# Fresh plans move more than half of the slots, however their GPUs are called; in small systems at times less. So where
# fewer than one in so many may move, no fresh plan is looked at.
FRESH_FROM = 4


def follow(
    lib: Standard,
    previous: Array,
    max_moves: Array,
    min_gain: Array,
    weight: Array,
    *,
    sizes: Sizes,
    policy: Policy,
    divides: bool,
    gpus_per_node: int,
    far_cost: int,
) -> Plan[Array]:
    """The previous plan [layers, replicas] after at most so many moves [layers, 1], where they gain enough [layers, 1].

    Loads are [layers, samples, experts]. A move to a GPU from another node of so many GPUs counts as several.
    """
    shape = shape_of(sizes, policy, weight.shape[-1], gpus_per_node, far_cost)
    begun = beginning(lib, previous, max_moves, weight, sizes=sizes, shape=shape, divides=divides)
    slots = _searched(lib, begun, shape)
    return plan_of(lib, _gaining(lib, begun, slots, min_gain, sizes), weight.shape[-1], sizes)


def follow_or_renew(
    lib: Standard, *arrays: Array, sizes: Sizes, policy: Policy, divides: bool, gpus_per_node: int, far_cost: int
) -> Plan[Array]:
    """As `follow`; or a fresh plan, its GPUs relabelled, where it is within the budget and better.

    The arrays are those of `follow`, and before the loads the fresh plan [layers, replicas].
    """
    previous, max_moves, min_gain, fresh, weight = arrays
    shape = shape_of(sizes, policy, weight.shape[-1], gpus_per_node, far_cost)
    begun = beginning(lib, previous, max_moves, weight, sizes=sizes, shape=shape, divides=divides)
    slots = _or_fresh(lib, begun, _searched(lib, begun, shape), fresh, sizes=sizes, shape=shape)
    return plan_of(lib, _gaining(lib, begun, slots, min_gain, sizes), weight.shape[-1], sizes)


def or_renewed(
    lib: Standard, *arrays: Array, sizes: Sizes, policy: Policy, divides: bool, gpus_per_node: int, far_cost: int
) -> Plan[Array]:
    """What is left of `follow_or_renew` once there are slots [layers, replicas] by `follow` that need gain nothing.

    The arrays are those of `follow_or_renew`, and before the loads these slots. Where `follow` had left the plan as it
    was, a fresh one that is better than that is better than what had been found, too.
    """
    previous, max_moves, min_gain, fresh, slots, weight = arrays
    shape = shape_of(sizes, policy, weight.shape[-1], gpus_per_node, far_cost)
    begun = beginning(lib, previous, max_moves, weight, sizes=sizes, shape=shape, divides=divides)
    slots = _or_fresh(lib, begun, slots, fresh, sizes=sizes, shape=shape)
    return plan_of(lib, _gaining(lib, begun, slots, min_gain, sizes), weight.shape[-1], sizes)


def renew(
    lib: Standard,
    previous: Array,
    min_gain: Array,
    fresh: Array,
    weight: Array,
    *,
    sizes: Sizes,
    policy: Policy,
    divides: bool,
) -> Plan[Array]:
    """A fresh plan [layers, replicas], its GPUs called as those of the previous one, where it gains enough [layers, 1].

    Where nothing need be gained it is taken, be it better or not.
    """
    xp = lib.xp
    shape = shape_of(sizes, policy, weight.shape[-1])
    none = xp.zeros_like(previous[:, :1], dtype=lib.index_dtype)
    begun = beginning(lib, previous, none, weight, sizes=sizes, shape=shape, divides=divides)
    fresh = relabelled(lib, fresh, begun.held, num_gpus=sizes.num_gpus, num_nodes=sizes.num_nodes)
    slots = xp.where(min_gain > 0.0, _gaining(lib, begun, fresh, min_gain, sizes), fresh)
    return plan_of(lib, slots, weight.shape[-1], sizes)


def _searched(lib: Standard, begun: Beginning, shape: Shape) -> Array:
    """The best slots that a search finds; experts that stay on their GPU keep theirs."""
    placing = placing_of(lib, begun.slots, begun.system.load.shape[-1], shape.num_gpus)
    best = searched(lib, begun.system, placing, shape, FOLLOWING)
    slots = transposed(lib, best.expert[:, 0, :], begun.slots.shape[-1] // shape.num_gpus)
    return keep_slots(lib, slots, begun.before, shape.num_gpus)


def _or_fresh(lib: Standard, begun: Beginning, slots: Array, fresh: Array, *, sizes: Sizes, shape: Shape) -> Array:
    """The slots, or a fresh plan, its GPUs relabelled, where it is within the budget and better."""
    budget = begun.system.budget
    fresh = relabelled(lib, fresh, begun.held, num_gpus=sizes.num_gpus, num_nodes=sizes.num_nodes)
    fits = spent_on(lib, fresh, begun.held, begun.system.price, shape=shape) <= budget
    fits = fits & (budget * FRESH_FROM >= sizes.num_replicas)
    better = fits & (_busiest(lib, begun, fresh, sizes) < _busiest(lib, begun, slots, sizes))
    return lib.xp.where(better, fresh, slots)


def _busiest(lib: Standard, begun: Beginning, slots: Array, sizes: Sizes) -> Array:
    """What the busiest GPUs have, over all samples: [layers, 1]."""
    placing = placing_of(lib, slots, begun.system.load.shape[-1], sizes.num_gpus)
    return judged(lib, placing, loads_of(lib, begun.system, placing, sizes.num_gpus)).total


def _gaining(lib: Standard, begun: Beginning, slots: Array, min_gain: Array, sizes: Sizes) -> Array:
    """Slots that take at least so much of what the busiest GPUs had, relatively, or what was there."""
    before = _busiest(lib, begun, begun.slots, sizes)
    gain = before - _busiest(lib, begun, slots, sizes)
    return lib.xp.where((gain > 0.0) & (gain >= min_gain * before), slots, begun.slots)
