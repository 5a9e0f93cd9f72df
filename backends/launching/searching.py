"""What native code is told of a plan that follows another or is for samples, whoever calls it: numbers, and results."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from eplb_xp.algorithms.following import follow, for_samples, frontier
from eplb_xp.algorithms.following.beginning import shape_of
from eplb_xp.algorithms.following.system import Shape
from eplb_xp.algorithms.following.turns import FOLLOWING, FREELY, Aims
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.takeover import Refusal, Step
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Frontier, Plan

# As native/following/shape.hpp has them.
MOST_CAPACITY = 255
MOST_PAIRS = 2**26

# By name, in whose order native code reads them.
Numbers = dict[str, np.ndarray[Any, Any]]
# [layers, samples, experts] of the loads.
Loads = tuple[int, int, int]


def _of_follow(loads: Loads, *, gpus_per_node: int, far_cost: int, **settings: Any) -> Numbers | Refusal:
    return _of_search(loads, FOLLOWING, near=(gpus_per_node, far_cost), **settings)


def _of_follow_or_renew(loads: Loads, *, sizes: Sizes, **settings: Any) -> Numbers | Refusal:
    return _pairs_of_gpus(sizes) or _of_follow(loads, sizes=sizes, **settings)


def _of_renew(loads: Loads, *, sizes: Sizes, **settings: Any) -> Numbers | Refusal:
    return _pairs_of_gpus(sizes) or _of_search(loads, Aims(()), sizes=sizes, **settings)


def _of_frontier(
    loads: Loads, *, max_moves: int, gpus_per_node: int, far_cost: int, **settings: Any
) -> Numbers | Refusal:
    return _of_search(loads, frontier.aims(max_moves), near=(gpus_per_node, far_cost), **settings)


def _of_samples(loads: Loads, *, sizes: Sizes, policy: Policy, divides: bool) -> Numbers | Refusal:
    _, samples, experts = loads
    shape = shape_of(sizes, policy, experts)
    shape = shape._replace(is_free=True, changes_counts=shape.changes_counts and policy.levels > 0)
    walks = policy.rounds > 0 and not policy.ring
    numbers = _told(samples, experts, sizes, shape=shape, aims=Aims(FREELY if walks else ()), divides=divides)
    if isinstance(numbers, Refusal):
        return numbers
    integers, reals, strides = from_numpy.shape_of(experts, sizes, policy)
    return {**numbers, "search": numbers["integers"], "integers": integers, "reals": reals, "strides": strides}


def _of_search(
    loads: Loads, aims: Aims, *, sizes: Sizes, policy: Policy, divides: bool, near: tuple[int, int] = (1, 1)
) -> Numbers | Refusal:
    _, samples, experts = loads
    shape = shape_of(sizes, policy, experts, *near)
    return _told(samples, experts, sizes, shape=shape, aims=aims, divides=divides)


def _pairs_of_gpus(sizes: Sizes) -> Refusal | None:
    gpus = sizes.num_gpus
    if gpus**2 > MOST_PAIRS:
        return Refusal(f"native code replaces a plan with at most {MOST_PAIRS} pairs of GPUs, got {gpus**2}")
    return None


@functools.lru_cache(maxsize=1024)
def _told(samples: int, experts: int, sizes: Sizes, *, shape: Shape, aims: Aims, divides: bool) -> Numbers | Refusal:
    """In the order of native/following/shape.hpp, and of each path what it is aimed at."""
    slots, gpus = sizes.num_replicas, sizes.num_gpus
    for name, number, most in (
        ("slots a GPU", slots // gpus, MOST_CAPACITY),
        ("experts times GPUs", experts * gpus, MOST_PAIRS),
        ("samples times replicas", samples * slots, MOST_PAIRS),
        ("numbers of moves times replicas", aims.number * slots, MOST_PAIRS),
    ):
        if number > most:
            return Refusal(f"native code follows a plan with at most {most} {name}, got {number}")
    groups = sizes.num_groups if sizes.num_nodes > 1 else 1
    paths = aims.wide + aims.narrow
    integers = (
        *(samples, experts, slots, gpus, groups, sizes.num_nodes, shape.most, sizes.width(experts)),
        *(shape.changes_counts, shape.keeps_links, shape.near_gpus, shape.far_cost, divides, shape.is_free),
        *(aims.number, len(aims.wide), len(paths)),
    )
    marks = (*(0 for _ in aims.wide), *aims.marks)
    one, other = (np.array([part[i] for part in paths], np.float32) for i in (0, 1))
    return {"integers": np.array(integers, np.int32), "mark": np.array(marks, np.int32), "one": one, "other": other}


# Shapes and dtypes.
Results = Sequence[tuple[tuple[int, ...], Any]]


def _maps(loads: Loads, index: Any, *, sizes: Sizes, **_: Any) -> Results:
    return [(shape, index) for shape in sizes.map_shapes(loads[0], loads[2])]


def _plans(loads: Loads, index: Any, *, sizes: Sizes, max_moves: int, **_: Any) -> Results:
    each = (loads[0], max_moves + 1)
    return [*(((*each, items), index) for items in (sizes.num_replicas, loads[2])), *[(each, np.float32)] * 2]


class Told(NamedTuple):
    """A step of native code."""

    numbers: Callable[..., Numbers | Refusal]  # given the shape of the loads, and settings: or why it is not taken
    results: Callable[..., Results]  # given the type of an index as well
    pack: Callable[..., Any]


STEPS: dict[Step, Told] = {
    for_samples.plan_for_samples: Told(_of_samples, _maps, Plan),
    follow.follow: Told(_of_follow, _maps, Plan),
    follow.follow_or_renew: Told(_of_follow_or_renew, _maps, Plan),
    follow.renew: Told(_of_renew, _maps, Plan),
    frontier.frontier: Told(_of_frontier, _plans, Frontier),
}
