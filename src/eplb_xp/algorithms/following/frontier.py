"""The best plan for each number of moves: of paths every placing is kept that is the best of as many moves.

previous plan -> paths -> a placing for each number of moves -> a better one of fewer moves in its place
"""

from eplb_xp.algorithms.following.beginning import beginning, placing_of, shape_of
from eplb_xp.algorithms.following.path import judged
from eplb_xp.algorithms.following.samples import over_samples, share_of
from eplb_xp.algorithms.following.system import loads_of
from eplb_xp.algorithms.following.turns import Aims, searched
from eplb_xp.algorithms.moving.keeping import keep_slots
from eplb_xp.algorithms.rows import for_each, transposed, tree_sum
from eplb_xp.algorithms.runs import runs_of
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Frontier

# Parts of the excess at the start, from nearly all of it, for which few moves do, to nearly nothing: 15/16, 7/8, 3/4,
# 5/8, 1/2, 3/8, 5/16, 1/4, 3/16, 1/8, and then smaller by half or a quarter.
WIDE = (
    *((1.0, -(2.0**-4)), (1.0, -(2.0**-3)), (2.0**-1, 2.0**-2), (2.0**-1, 2.0**-3), (2.0**-1, 0.0)),
    *((2.0**-1, -(2.0**-3)), (2.0**-2, 2.0**-4), (2.0**-2, 0.0), (2.0**-3, 2.0**-4), (2.0**-3, 0.0)),
    *((2.0**-i, 2.0 ** -(i + 1)) for i in (4, 5, 6, 8, 10)),
)
# Below what was reached with so many eighths of the moves, each twice.
EIGHTHS = (1, 2, 3, 4, 5, 6, 7, 8)
NARROW = ((1.0, -(2.0**-4)), (2.0**-1, 2.0**-2))


def frontier(
    lib: Standard,
    previous: Array,
    weight: Array,
    *,
    sizes: Sizes,
    policy: Policy,
    divides: bool,
    gpus_per_node: int,
    far_cost: int,
    max_moves: int,
) -> Frontier[Array]:
    """The plans after at most 0, 1 and up to so many moves, from a previous one [layers, replicas].

    Loads are [layers, samples, experts].
    """
    xp = lib.xp
    layers, samples, experts = weight.shape
    shape = shape_of(sizes, policy, experts, gpus_per_node, far_cost)
    none = xp.zeros_like(previous[:, :1], dtype=lib.index_dtype)
    begun = beginning(lib, previous, none, weight, sizes=sizes, shape=shape, divides=divides)
    system = begun.system._replace(budget=none + max_moves)
    best = searched(lib, system, placing_of(lib, begun.slots, experts, shape.num_gpus), shape, aims(max_moves))

    # As many rows as there are layers and numbers of moves.
    number = max_moves + 1
    rows, replicas = layers * number, sizes.num_replicas
    expert, before = xp.reshape(best.expert, (rows, replicas)), for_each(lib, begun.before, number)
    slots = keep_slots(lib, transposed(lib, expert, replicas // sizes.num_gpus), before, sizes.num_gpus)
    load = for_each(lib, xp.reshape(system.load, (layers, samples * experts)), number)
    load = xp.reshape(load, (rows, samples, experts))
    placing = placing_of(lib, slots, experts, sizes.num_gpus)
    total = judged(lib, placing, loads_of(lib, system._replace(load=load), placing, sizes.num_gpus)).total
    total, at = _best_so_far(lib, xp.reshape(total, (layers, number)))
    row = xp.reshape(at + lib.arange(layers, at)[:, None] * number, (rows,))
    slots = lib.take(slots, row, axis=0)
    count = runs_of(lib, slots, experts).length
    slots, count = (xp.reshape(x, (layers, number, x.shape[-1])) for x in (slots, count))
    unit = scaled(lib, weight[:, 0, :]).unit if divides and samples == 1 else None
    return Frontier(slots, count, *_figures(lib, system.load, total, unit, sizes.num_gpus))


def aims(max_moves: int) -> Aims:
    """Where the paths of a frontier are aimed."""
    marks = tuple(max(max_moves * eighths // EIGHTHS[-1], min(max_moves, 1)) for eighths in EIGHTHS)
    return Aims(WIDE, NARROW * len(marks), tuple(mark for mark in marks for _ in NARROW), max_moves + 1)


def _best_so_far(lib: Standard, total: Array) -> tuple[Array, Array]:
    """What the best has of as many moves or fewer, and how many it has: [layers, marks] both."""
    xp = lib.xp
    least = lib.running_minimum(total)
    mark = lib.arange_like(total)
    is_better = (mark == 0) | (total < xp.concat([least[:, :1], least[:, :-1]], axis=-1))
    # The last that was better: small numbers, as floats.
    last = -lib.running_minimum(-xp.astype(xp.where(is_better, mark, 0), xp.float32))
    return least, xp.astype(last, lib.index_dtype)


def _figures(lib: Standard, load: Array, total: Array, unit: Array | None, num_gpus: int) -> tuple[Array, Array]:
    """What the busiest GPU has and the balancedness: [layers, marks] both, the better the lower the first is.

    The first is in tokens, given what a unit is of them, or a share of all loads.
    """
    xp = lib.xp
    everything = tree_sum(lib, over_samples(lib, load))[:, None]
    # So that it is of a size that can be divided.
    small = 2.0 ** -(load.shape[1] * load.shape[2]).bit_length()
    mean = lib.divide(everything * small, xp.full_like(everything, float(num_gpus)))
    idle = total == 0.0
    balance = xp.clip(xp.where(idle, 1.0, mean) / xp.where(idle, 1.0, total * small), None, 1.0)
    if unit is not None:
        return total * unit, balance
    return share_of(lib, total, everything), balance
