"""Plans that follow others, or are for samples, for arrays in host memory, by the native code of `native/following`."""

import functools
from typing import Any, NamedTuple

import numpy as np

from eplb_xp.algorithms.following import follow as once_written
from eplb_xp.algorithms.following.beginning import shape_of
from eplb_xp.algorithms.following.frontier import aims as aims_of
from eplb_xp.algorithms.following.system import Shape
from eplb_xp.algorithms.following.turns import FOLLOWING, FREELY, Aims
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.launching.from_numpy import threads
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Frontier, Plan

# As native/following/shape.hpp has them.
MOST_CAPACITY = 255
MOST_PAIRS = 2**26

Arrays = np.ndarray[Any, Any]


class Numbers(NamedTuple):
    """What native code reads of a search, in the order of native/following/request.hpp."""

    integers: Arrays  # in the order of native/following/shape.hpp
    mark: Arrays  # [paths] int32 the most moves of what each path is aimed below
    one: Arrays  # [paths] float32 of an excess what it leaves, in two parts
    other: Arrays


def follow(lib: Standard, *arrays: Arrays, lanes: int | None = None, **settings: Any) -> Plan[Any] | Refusal:
    """The plan by native code, or why the once-written code makes it."""
    previous, max_moves, min_gain, weight = arrays
    layers, _, experts = weight.shape
    numbers = numbers_of(weight, **settings)
    if isinstance(numbers, Refusal):
        return numbers
    given = (*_integers(previous, max_moves), np.ascontiguousarray(min_gain, dtype=np.float32), _loads(lib, weight))
    maps = [np.empty(size, np.int64) for size in settings["sizes"].map_shapes(layers, experts)]
    native = from_numpy.extension()
    native.follow(*given, *numbers, *maps, lanes or native.MOST_LANES, threads())
    return Plan(*maps)


def follow_or_renew(lib: Standard, *arrays: Arrays, **settings: Any) -> Plan[Any] | Refusal:
    """The search by native code; whether a fresh plan is better is found by the once-written code."""
    previous, max_moves, min_gain, fresh, weight = arrays
    found = follow(lib, previous, max_moves, np.zeros_like(min_gain), weight, **settings)
    if isinstance(found, Refusal):
        return found
    given = (previous, max_moves, min_gain, fresh, found.phy2log, weight)
    made: Plan[Any] = lib.call(once_written.or_renewed, *given, **settings)
    return made


def frontier(
    lib: Standard, *arrays: Arrays, max_moves: int, lanes: int | None = None, **settings: Any
) -> Frontier[Any] | Refusal:
    """The plans of all numbers of moves by native code, or why the once-written code makes them."""
    previous, weight = arrays
    numbers = numbers_of(weight, aims_of(max_moves), **settings)
    if isinstance(numbers, Refusal):
        return numbers
    each = (len(weight), max_moves + 1)
    slots, count = (np.empty((*each, items), np.int64) for items in (previous.shape[1], weight.shape[2]))
    figures = [np.empty(each, np.float32) for _ in range(2)]
    native = from_numpy.extension()
    found = Frontier(slots, count, *figures)
    native.frontier(*_integers(previous), _loads(lib, weight), *numbers, *found, lanes or native.MOST_LANES, threads())
    return found


def plan_for_samples(
    lib: Standard, weight: Arrays, *, sizes: Sizes, policy: Policy, divides: bool, lanes: int | None = None
) -> Plan[Any] | Refusal:
    """The plan by native code, or why the once-written code makes it."""
    layers, samples, experts = weight.shape
    shape = shape_of(sizes, policy, experts)
    shape = shape._replace(is_free=True, changes_counts=shape.changes_counts and policy.levels > 0)
    walks = policy.rounds > 0 and not policy.ring
    aims = Aims(FREELY if walks else ())
    numbers = _numbers(samples=samples, experts=experts, sizes=sizes, shape=shape, aims=aims, divides=divides)
    if isinstance(numbers, Refusal):
        return numbers
    maps = [np.empty(size, np.int64) for size in sizes.map_shapes(layers, experts)]
    native = from_numpy.extension()
    given = (_loads(lib, weight), *from_numpy.shape_of(experts, sizes, policy))
    native.plan_for_samples(*given, *numbers, *maps, lanes or native.MOST_LANES, threads())
    return Plan(*maps)


def numbers_of(
    weight: Any,
    aims: Aims = FOLLOWING,
    *,
    sizes: Sizes,
    policy: Policy,
    divides: bool,
    gpus_per_node: int,
    far_cost: int,
) -> Numbers | Refusal:
    """What native code reads of a search for loads [layers, samples, experts], or why it does not search."""
    _, samples, experts = weight.shape
    shape = shape_of(sizes, policy, experts, gpus_per_node, far_cost)
    return _numbers(samples=samples, experts=experts, sizes=sizes, shape=shape, aims=aims, divides=divides)


def _loads(lib: Standard, weight: Arrays) -> Arrays:
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(lib.float32(weight))


def _integers(*arrays: Arrays) -> list[Arrays]:
    with np.errstate(all="ignore"):
        return [np.ascontiguousarray(x, dtype=np.int64) for x in arrays]


def _numbers(*, sizes: Sizes, **told: Any) -> Numbers | Refusal:
    native = from_numpy.extension_for(sizes)
    return native if isinstance(native, Refusal) else _told(sizes=sizes, **told)


@functools.lru_cache(maxsize=1024)
def _told(*, samples: int, experts: int, sizes: Sizes, shape: Shape, aims: Aims, divides: bool) -> Numbers | Refusal:
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
    return Numbers(np.array(integers, np.int32), np.array(marks, np.int32), one, other)
